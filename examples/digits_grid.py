"""Grid search of a small Keras classifier over scikit-learn's handwritten digits."""

from hopsml_flows import experiment
from hopsml_flows.experiment import Direction


def training(learning_rate, dropout):
    """Train on the digits; return the accuracy on the held-out quarter."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from hopsml_flows import tensorboard
    from hopsml_flows.callbacks import KerasReporter

    keras.utils.set_random_seed(1)
    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images / 16.0, labels, test_size=0.25, random_state=1
    )
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        epochs=8,
        verbose=2,
        validation_data=(x_test, y_test),
        callbacks=[KerasReporter(), keras.callbacks.TensorBoard(tensorboard.logdir())],
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"accuracy {accuracy:.4f} with learning rate {learning_rate} and dropout {dropout}")
    return {"accuracy": accuracy, "loss": loss}


experiment.grid_search(
    training,
    {"learning_rate": [0.01, 0.003, 0.001], "dropout": [0.1, 0.5]},
    direction=Direction.MAX,
    name="digits",
    optimization_key="accuracy",
)
