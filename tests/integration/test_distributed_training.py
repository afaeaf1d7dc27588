"""Training with TensorFlow's strategies and with PyTorch, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.experiment import ClusterConfig

from .training import train_digits


def _losses(log):
    (found,) = re.findall(r"LOSSES (\[.*\])", log.read_text())
    return json.loads(found)


@pytest.mark.slow
def test_one_process_and_two_of_which_one_is_killed_train_alike(options):
    """Two processes lose a worker after an epoch, go on, and end where one undisturbed ends."""
    alone = experiment.mirrored(train_digits, num_workers=1, metric_key="loss", **options)
    path, outputs = experiment.collective_all_reduce(
        train_digits,
        num_workers=2,
        metric_key="loss",
        environment={"KILLED_IN_EPOCH": "2"},
        **options,
    )
    path = Path(path)
    assert alone.outputs["replicas"] == 1
    assert outputs["replicas"] == 2
    assert len(alone.outputs["losses"]) == 4
    # The first attempt ended in epoch 2, and the second one began with it.
    assert len(outputs["losses"]) == 2
    assert _losses(path / "chief_0_output.log") == _losses(path / "worker_0_output.log")
    assert outputs["losses"] == pytest.approx(alone.outputs["losses"][2:], abs=1e-5)
    assert "ended by signal 9" in (path / "worker_0_output.log").read_text()
    assert list(path.glob("logdir/train/events*"))
    record = json.loads((path / "experiment.json").read_text())
    assert record["function"] == "collective_all_reduce"
    assert record["experiment_type"] == "DISTRIBUTED_TRAINING"
    assert record["metric"] == outputs["losses"][-1]
    log = (Path(alone.path) / "chief_0_output.log").read_text()
    assert "TF_CONFIG is None" in log


@pytest.mark.slow
def test_parameter_servers_train_by_a_loop_and_by_keras_with_an_evaluator(prefect_server, project):
    def train():
        import os
        import time

        import numpy as np
        import tensorflow as tf

        from hopsml_flows import distributed, tensorboard

        print("GPUs", repr(os.environ["CUDA_VISIBLE_DEVICES"]))
        print("CLUSTER", os.environ["TF_CONFIG"])
        if distributed.role() in ("worker", "ps"):
            distributed.serve()
        random = np.random.default_rng(0)
        images = random.normal(size=(64, 64)).astype("float32")
        digits = random.integers(0, 10, 64)

        def loss(weights, images, digits):
            logits = images @ weights
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(digits, logits))

        def data():
            return tf.data.Dataset.from_tensor_slices((images, digits)).repeat().batch(16)

        if distributed.role() == "evaluator":
            weights = tf.Variable(tf.zeros((64, 10)))
            writer = tf.summary.create_file_writer(tensorboard.logdir())
            while True:
                found = tf.train.latest_checkpoint(distributed.checkpoint_dir())
                if found:
                    tf.train.Checkpoint(weights=weights).restore(found).expect_partial()
                    with writer.as_default():
                        tf.summary.scalar("loss", loss(weights, images, digits), step=1)
                    writer.flush()
                    print("EVALUATED", float(loss(weights, images, digits)))
                    return None
                time.sleep(0.1)

        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        strategy = tf.distribute.ParameterServerStrategy(resolver)
        coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        with strategy.scope():
            weights = tf.Variable(tf.zeros((64, 10)))

        @tf.function
        def step(batches):
            def one(batch):
                with tf.GradientTape() as tape:
                    value = loss(weights, *batch)
                weights.assign_sub(0.1 * tape.gradient(value, weights))
                return value

            return strategy.run(one, args=(next(batches),))

        batches = iter(coordinator.create_per_worker_dataset(data))
        first = [coordinator.schedule(step, args=(batches,)) for _ in range(4)]
        coordinator.join()
        last = [coordinator.schedule(step, args=(batches,)) for _ in range(20)]
        coordinator.join()
        tf.train.Checkpoint(weights=weights).save(f"{distributed.checkpoint_dir()}/loop")

        with strategy.scope():
            model = tf.keras.Sequential([tf.keras.layers.Dense(10)])
            model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(data(), steps_per_epoch=4, epochs=1, verbose=0).history
        means = [float(np.mean([float(one.fetch()) for one in some])) for some in (first, last)]
        return {"first": means[0], "last": means[1], "keras": history["loss"][-1]}

    path, outputs = experiment.parameter_server(
        train,
        num_workers=2,
        num_ps=1,
        evaluator=True,
        project=str(project),
        cluster=ClusterConfig(kind="local"),
        progress=False,
    )
    path = Path(path)
    assert outputs["last"] < outputs["first"] < 2.31
    assert outputs["keras"] > 0
    logs = {log.name: log.read_text() for log in path.glob("*_output.log")}
    assert set(logs) == {
        f"{process}_output.log"
        for process in ("chief_0", "worker_0", "worker_1", "ps_0", "evaluator_0")
    }
    assert "GPUs ''" in logs["ps_0_output.log"]
    assert "EVALUATED" in logs["evaluator_0_output.log"]
    for log in logs.values():
        (found,) = re.findall(r"CLUSTER (.*)", log)
        cluster = json.loads(found)["cluster"]
        assert {role: len(there) for role, there in cluster.items()} == {
            "chief": 1,
            "worker": 2,
            "ps": 1,
        }
    assert list(path.glob("logdir/evaluator/events*"))


def test_keras_3_in_several_processes_is_refused_with_a_way_out(options):
    def train():
        import keras
        import numpy as np
        import tensorflow as tf

        with tf.distribute.MultiWorkerMirroredStrategy().scope():
            model = keras.Sequential([keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        model.fit(np.ones((8, 2)), np.ones(8), verbose=0)

    with pytest.raises(ExperimentFailedError, match=r"tf\.keras or tf_keras") as caught:
        experiment.mirrored(train, num_workers=2, **options)
    failure = caught.value.result.trials[0].failure
    assert failure.kind == "UnsuitableKerasError"
    assert "PerReplica" in failure.traceback  # TensorFlow's own words are in the log


@pytest.mark.torch
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not among the dependencies"
)
def test_torch_processes_average_their_gradients_and_go_on_after_one_died(options):
    def train():
        import os
        import signal
        from pathlib import Path

        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        from hopsml_flows import distributed

        assert os.environ["LOCAL_RANK"] == "0"
        dist.init_process_group("gloo")
        torch.manual_seed(0)
        model = DistributedDataParallel(torch.nn.Linear(64, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        images = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
        digits = torch.arange(64) % 10
        mine = slice(dist.get_rank(), None, dist.get_world_size())
        file = Path(distributed.checkpoint_dir()) / "model.pt"
        begin = 0
        if file.exists():
            state = torch.load(file)
            begin = state["step"]
            model.load_state_dict(state["model"])
        for step in range(begin, 6):
            if begin == 0 and step == 3 and dist.get_rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            loss = torch.nn.functional.cross_entropy(model(images[mine]), digits[mine])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if distributed.is_chief():
                torch.save({"step": step + 1, "model": model.state_dict()}, file)
        with torch.no_grad():
            whole = float(torch.nn.functional.cross_entropy(model(images), digits))
        return {"loss": whole, "begin": begin, "world": dist.get_world_size()}

    path, outputs = experiment.distributed(train, num_workers=2, metric_key="loss", **options)
    assert (outputs["world"], outputs["begin"]) == (2, 3)
    assert outputs["loss"] == pytest.approx(_torch_alone(), abs=1e-5)
    assert (Path(path) / "worker_1_output.log").exists()


def _torch_alone():
    import torch

    torch.manual_seed(0)
    model = torch.nn.Linear(64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    digits = torch.arange(64) % 10
    for _ in range(6):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), digits).backward()
        optimizer.step()
    return torch.nn.functional.cross_entropy(model(images), digits).item()
