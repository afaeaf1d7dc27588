"""The program of ExtremeEarth: an empty search space that grows, and a report for each epoch."""

from hopsml_flows import Searchspace, experiment
from hopsml_flows.callbacks import KerasEpochEnd

sp = Searchspace()
sp.add("units", ("DISCRETE", [8, 16]))
sp.add("activation", ("CATEGORICAL", ["relu", "tanh"]))
for hparam in sp:
    print(hparam["name"], hparam["type"], hparam["values"])


def training_function(units, activation, reporter):
    """Train a small network on the digits; return its accuracy on the held-out ones."""
    import keras
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    held_out = (images[1200:], labels[1200:])
    model = keras.Sequential(
        [
            keras.layers.Dense(units, activation=activation),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        images[:1200],
        labels[:1200],
        epochs=2,
        verbose=0,
        validation_data=held_out,
        callbacks=[KerasEpochEnd(reporter, metric="val_accuracy")],
    )
    return model.evaluate(*held_out, verbose=0)[1]


result = experiment.lagom(
    train_fn=training_function,
    searchspace=sp,
    optimizer="gridsearch",
    direction="max",
    num_trials=4,
    name="ExtremeEarth",
    es_policy="none",
)
print(result["best_val"], result["best_config"])
