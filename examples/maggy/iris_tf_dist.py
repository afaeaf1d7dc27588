"""Maggy 1.0: training with TensorFlow in all processes, of files that a function reads."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # the Keras that trains in several processes

import tensorflow as tf

from hopsml_flows import experiment, hdfs, pandas_helper
from hopsml_flows.experiment_config import TfDistributedConfig


def write_iris():
    """Write two tables of flowers to the project; return their paths."""
    from sklearn.datasets import load_iris

    table = load_iris(as_frame=True).frame.sample(frac=1, random_state=0)
    paths = [hdfs.project_path() + f"Resources/{name}.csv" for name in ("train", "test")]
    for path, rows in zip(paths, (table[:128], table[-64:]), strict=True):
        pandas_helper.write_csv(path, rows, index=False)
    return paths


def process_data(train_set, test_set):
    """Read both tables; return the inputs and the species of each."""
    read = []
    for path in (train_set, test_set):
        table = pandas_helper.read_csv(path)
        read.append((table.iloc[:, :4].to_numpy("float32"), table.target.to_numpy()))
    return tuple(read)


class NeuralNetwork(tf.keras.Model):
    """A network with as many hidden layers as it is told."""

    def __init__(self, nl):
        super().__init__()
        self.hidden = [tf.keras.layers.Dense(8, activation="relu") for _ in range(nl)]
        self.out = tf.keras.layers.Dense(3, activation="softmax")

    def call(self, inputs):
        """Return what the network says of some flowers."""
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.out(inputs)


def training_function(model, train_set, test_set, hparams):
    """Train the model; return its loss."""
    model = model(nl=hparams["nlayers"])
    model.compile(
        tf.keras.optimizers.Adam(hparams["learning_rate"]),
        tf.keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    model.fit(train_set, epochs=3, verbose=0)
    loss, _ = model.evaluate(test_set, verbose=0)
    return loss


train_path, test_path = write_iris()
config = TfDistributedConfig(
    name="iris-tf-dist",
    model=NeuralNetwork,
    train_set=train_path,
    test_set=test_path,
    process_data=process_data,
    hparams={
        "nlayers": 2,
        "learning_rate": 0.01,
        "train_batch_size": 16,
        "test_batch_size": 16,
    },
)
result = experiment.lagom(train_fn=training_function, config=config, num_workers=2)
print(result[0])
