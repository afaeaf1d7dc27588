"""Maggy 1.0: training with TensorFlow in all processes, of arrays that the configuration has."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # the Keras that trains in several processes

import tensorflow as tf
from sklearn.datasets import load_digits

from hopsml_flows import experiment
from hopsml_flows.experiment_config.tf_distributed import TfDistributedConfig

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype("float32")


class Network(tf.keras.Model):
    """A network with a hidden layer."""

    def __init__(self, units):
        super().__init__()
        self.hidden = tf.keras.layers.Dense(units, activation="relu")
        self.out = tf.keras.layers.Dense(10, activation="softmax")

    def call(self, inputs):
        """Return what the network says of some images."""
        return self.out(self.hidden(inputs))


def training_function(model, train_set, test_set, hparams):
    """Train the model; return its accuracy."""
    model = model(hparams["units"])
    model.compile(
        tf.keras.optimizers.Adam(hparams["learning_rate"]),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(train_set, epochs=hparams["epochs"], verbose=0)
    _, accuracy = model.evaluate(test_set, verbose=0)
    return accuracy


config = TfDistributedConfig(
    name="mnist-tf-dist",
    model=Network,
    train_set=(images[:1024], labels[:1024]),
    test_set=(images[1024:1536], labels[1024:1536]),
    hparams={
        "units": 16,
        "learning_rate": 0.01,
        "epochs": 3,
        "train_batch_size": 64,
        "test_batch_size": 64,
    },
)
result = experiment.lagom(training_function, config, num_workers=2)
print(result[0])
