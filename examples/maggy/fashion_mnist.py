"""Maggy 0.2 to 1.0: arguments by name, and data in the project as TFRecords."""

from hopsml_flows import Searchspace, experiment, hdfs, tensorboard
from hopsml_flows.callbacks import KerasBatchEnd

ROWS = 256


def write_records():
    """Write images of scikit-learn's digits where the published program has Fashion-MNIST."""
    import tempfile
    from pathlib import Path

    import tensorflow as tf
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as directory:
        file = str(Path(directory) / "train.tfrecords")
        with tf.io.TFRecordWriter(file) as writer:
            for image, label in zip(images[:ROWS], labels[:ROWS], strict=True):
                feature = {
                    "image": tf.train.Feature(float_list=tf.train.FloatList(value=image / 16)),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        hdfs.copy_to_hdfs(file, "TestJob/data/", overwrite=True)


def keras_cnn(kernel, pool, dropout, reporter):
    """Train on the project's TFRecords; return the accuracy."""
    import tensorflow as tf
    from tensorflow import keras

    file = hdfs.local_path(hdfs.project_path() + "TestJob/data/train.tfrecords")
    features = {
        "image": tf.io.FixedLenFeature([64], tf.float32),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }

    def parsed(record):
        example = tf.io.parse_single_example(record, features)
        return tf.reshape(example["image"], (8, 8, 1)), example["label"]

    dataset = tf.data.TFRecordDataset(file).map(parsed).batch(64)
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
    callbacks = [
        keras.callbacks.TensorBoard(log_dir=tensorboard.logdir()),
        KerasBatchEnd(reporter, metric="accuracy"),
    ]
    model.fit(dataset, epochs=2, verbose=0, callbacks=callbacks)
    loss, accuracy = model.evaluate(dataset, verbose=0)
    reporter.log(f"loss {loss:.3f}", jupyter=True)
    return accuracy


write_records()
searchspace = Searchspace(kernel=("INTEGER", [2, 3]), pool=("INTEGER", [2, 3]))
searchspace.add("dropout", ("DOUBLE", [0.01, 0.99]))
result = experiment.lagom(
    map_fun=keras_cnn,
    searchspace=searchspace,
    optimizer="randomsearch",
    direction="max",
    num_trials=4,
    name="fashion-MNIST",
)
print(result["best_val"], result["best_config"])
