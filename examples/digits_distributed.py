"""Two processes train one classifier of scikit-learn's handwritten digits together."""

from hopsml_flows import experiment


def training():
    """Train under MultiWorkerMirroredStrategy; every process runs this."""
    import tensorflow as tf
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from hopsml_flows import distributed, tensorboard

    tf.keras.utils.set_random_seed(1)
    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images / 16.0, labels, test_size=0.25, random_state=1
    )
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = tf.keras.Sequential(  # tf-keras: the verb sees to that
            [
                tf.keras.layers.Input((64,)),
                tf.keras.layers.Dense(64, activation="relu"),
                tf.keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        x_train,
        y_train,
        batch_size=64,
        epochs=8,
        verbose=2,
        callbacks=[
            # After a process died, all go on from here.
            tf.keras.callbacks.BackupAndRestore(distributed.checkpoint_dir()),
            tf.keras.callbacks.TensorBoard(tensorboard.logdir()),
        ],
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"{distributed.role()} {distributed.index()}: accuracy {accuracy:.4f}")
    return {"accuracy": accuracy, "loss": loss}


experiment.mirrored(training, name="digits", num_workers=2, metric_key="accuracy")
