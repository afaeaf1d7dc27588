"""Maggy 0.1: ``experiment.launch`` searches, with the digits of scikit-learn in place of MNIST."""

from hopsml_flows import Searchspace, experiment
from hopsml_flows.callbacks import KerasBatchEnd

searchspace = Searchspace(kernel=("INTEGER", [2, 3]), pool=("INTEGER", [2, 3]))
searchspace.add("dropout", ("DOUBLE", [0.01, 0.99]))


def mnist(kernel, pool, dropout, reporter):
    """Train a convolutional network; return its accuracy."""
    import keras
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1)[:512] / 16.0
    model = keras.Sequential(
        [
            keras.layers.Conv2D(8, kernel, activation="relu"),
            keras.layers.MaxPooling2D(pool),
            keras.layers.Dropout(dropout),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        images,
        labels[:512],
        batch_size=64,
        epochs=2,
        verbose=0,
        callbacks=[KerasBatchEnd(reporter, metric="acc")],
    )
    score = model.evaluate(images, labels[:512], verbose=0)
    print("accuracy:", score[1])
    return score[1]


result = experiment.launch(
    map_fun=mnist,
    searchspace=searchspace,
    optimizer="randomsearch",
    direction="max",
    num_trials=6,
    name="MNIST",
    hb_interval=5,
    es_interval=300,
    es_min=5,
)
print(result["best_val"], result["best_hp"])
