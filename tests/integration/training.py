"""Training functions for integration tests; imported by the tests only, never by the workers."""

from __future__ import annotations


def accuracy(learning_rate, dropout):
    print(f"training with {learning_rate} and {dropout}")
    return {"accuracy": 1.0 - learning_rate - dropout / 10, "loss": learning_rate}


def product(x, y=2):
    return x * y


def train_digits():
    """Train tf-keras on numbers of the shape of digits; may lose a worker, once."""
    import json
    import os
    import signal
    import time

    import numpy as np
    import tensorflow as tf

    from hopsml_flows import distributed, tensorboard

    several = "TF_CONFIG" in os.environ
    print("TF_CONFIG is", os.environ.get("TF_CONFIG"))
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # set already where there are several
    strategy = (
        tf.distribute.MultiWorkerMirroredStrategy() if several else tf.distribute.MirroredStrategy()
    )
    random = np.random.default_rng(0)
    images = random.normal(size=(128, 64)).astype("float32")
    digits = random.integers(0, 10, 128)
    tf.keras.utils.set_random_seed(1)
    with strategy.scope():
        model = tf.keras.Sequential([tf.keras.layers.Input((64,)), tf.keras.layers.Dense(10)])
        model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    class Killer(tf.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            fatal = int(os.environ.get("KILLED_IN_EPOCH", "-1"))
            again = os.path.exists(os.path.join(distributed.checkpoint_dir(), "killed"))
            chief_there = os.path.join(distributed.checkpoint_dir(), "chief-there")
            if epoch == fatal and distributed.is_chief():  # its backup of the epoch before is whole
                open(chief_there, "w").close()
            if epoch == fatal and distributed.role() == "worker" and not again:
                until = time.monotonic() + 60
                while not os.path.exists(chief_there) and time.monotonic() < until:
                    time.sleep(0.05)
                open(os.path.join(distributed.checkpoint_dir(), "killed"), "w").close()
                os.kill(os.getpid(), signal.SIGKILL)

    losses = model.fit(
        images,
        digits,
        batch_size=32,
        epochs=4,
        shuffle=False,
        verbose=0,
        callbacks=[
            tf.keras.callbacks.BackupAndRestore(distributed.checkpoint_dir()),
            tf.keras.callbacks.TensorBoard(tensorboard.logdir()),
            Killer(),
        ],
    ).history["loss"]
    print("LOSSES", json.dumps(losses))
    return {"loss": losses[-1], "losses": losses, "replicas": strategy.num_replicas_in_sync}
