"""Trainings that Maggy's programs configure, in several processes of both frameworks."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import experiment
from hopsml_flows.config import TfDistributedConfig, TorchDistributedConfig
from hopsml_flows.maggy.calls import described

ROWS = 64
X = np.linspace(0, 1, ROWS, dtype="float32")[:, None]


def line(units):
    import tf_keras

    return tf_keras.Sequential([tf_keras.layers.Dense(units)])


def of_tensorflow(model, train_set, test_set, hparams):
    """In the shape of the published program for Iris."""
    import tf_keras

    model = model(hparams["units"])
    model.compile(tf_keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    steps = model.fit(train_set, epochs=2, verbose=0)
    replicas = model.distribute_strategy.num_replicas_in_sync
    rows = sum(len(x) for x, _ in train_set)
    return [model.evaluate(test_set, verbose=0)[0], replicas, rows, len(steps.epoch)]


@pytest.mark.slow
def test_a_keras_model_is_trained_by_all_processes_each_with_its_share(options):
    config = TfDistributedConfig(
        model=line,
        train_set="train.npy",
        test_set="test.npy",
        process_data=lambda train, test: ((X, 2 * X + 1), (X, 2 * X + 1)),
        hparams={"train_batch_size": 8, "test_batch_size": 16, "units": 1},
    )
    call = described([of_tensorflow, config], {})
    _, outputs = experiment.mirrored(
        call.train, num_workers=2, metric_key=call.optimization_key, **options
    )
    loss, replicas, rows, epochs = outputs["returned"]
    assert outputs["Metric"] == loss
    assert (replicas, rows, epochs) == (2, ROWS // 2, 2)
    assert 0 < loss < 5


def small(inputs):
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(inputs, 1)


def of_torch(module, hparams, train_set, test_set, reporter):
    """In the shape of the published program for MNIST."""
    import torch

    model = module(hparams["inputs"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = torch.utils.data.DataLoader(train_set, batch_size=8, shuffle=True)
    seen = 0
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            seen += len(x)
    rank = torch.distributed.get_rank()
    weight = float(next(model.parameters()).detach().reshape(-1)[0])
    reporter.log(f"the weight is {weight:.12f}")
    return {"test result": float(rank), "seen": seen, "weight": weight}


@pytest.mark.torch
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not among the dependencies"
)
def test_a_torch_module_has_the_same_gradients_in_all_processes_each_with_its_share(options):
    rows = [(x, 2 * x + 1) for x in X]
    config = TorchDistributedConfig(small, train_set=rows, test_set=rows, hparams={"inputs": 1})
    call = described([of_torch, config], {})
    directory, outputs = experiment.distributed(
        call.train, num_workers=2, metric_key=call.optimization_key, **options
    )
    assert outputs["Metric"] == 0.5  # the mean of the ranks
    assert outputs["seen"] == ROWS  # half of the rows, twice
    logs = [(Path(directory) / f"worker_{index}_output.log").read_text() for index in (0, 1)]
    weights = {log.partition("the weight is ")[2].split()[0] for log in logs}
    assert len(weights) == 1
