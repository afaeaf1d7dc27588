"""The Keras callbacks with Keras itself: on TensorFlow, on JAX, and as tf-keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import events

TRAINING = """
import importlib, inspect, json, sys
from pathlib import Path

import numpy as np

from hopsml_flows.callbacks import KerasBatchEnd, KerasEpochEnd, KerasReporter
from hopsml_flows.errors import InvalidReportError
from hopsml_flows.execution import running_trial
from hopsml_flows.storage import Project
from tests.running import context_of

assert not {"keras", "tf_keras", "tensorflow", "jax"} & set(sys.modules)
keras = importlib.import_module(sys.argv[1])
here = Path(sys.argv[2])
x, y = np.random.default_rng(0).random((24, 4)), np.arange(24) % 2
told = {}

def fit(name, *callbacks, **more):
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    project = Project(here / "project")
    with context_of(project, here / name, key="accuracy") as context, running_trial(context):
        history = model.fit(
            x, y, batch_size=8, epochs=2, verbose=0, callbacks=list(callbacks), **more
        )
        model.evaluate(x, y, verbose=0, callbacks=list(callbacks))
        model.predict(x, verbose=0, callbacks=list(callbacks))
    return history.history

validation = {"validation_data": (x, y)}
told["history"] = fit("all", KerasReporter(), KerasEpochEnd(), **validation)
fit("batches", KerasBatchEnd(), KerasReporter("loss", each="batch"))
try:
    fit("missing", KerasEpochEnd())
except InvalidReportError as error:
    told["missing"] = str(error)

base, ours = keras.callbacks.Callback, KerasEpochEnd()
hooks = [name for name in dir(base) if name.startswith("on_")]
told["lacking"] = [
    name for name in dir(base()) if not name.startswith("__") and not hasattr(ours, name)
]
default = importlib.import_module(sys.argv[3]).is_default
told["default"] = [
    name for name in hooks if default(getattr(base, name)) and default(getattr(ours, name))
]
print(json.dumps(told))
"""


@pytest.fixture(
    scope="module",
    params=[
        ("keras", "keras.src.utils.python_utils", {"KERAS_BACKEND": "tensorflow"}),
        ("keras", "keras.src.utils.python_utils", {"KERAS_BACKEND": "jax"}),
        ("tf_keras", "tf_keras.src.utils.generic_utils", {"TF_USE_LEGACY_KERAS": "1"}),
    ],
    ids=["tensorflow", "jax", "tf-keras"],
)
def trained(request, tmp_path_factory):
    """What a training with one Keras told, and the directories of its trials."""
    library, utilities, variables = request.param
    here = tmp_path_factory.mktemp("keras")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, library, str(here), utilities],
        cwd=root,
        env={
            **os.environ, **variables, "PYTHONPATH": f"{root}:{root}/tasks",
            "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu",
        },
        capture_output=True,
        text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), here


def test_keras_callbacks_report_and_show_what_keras_logs(trained):
    told, here = trained
    history, curves = told["history"], events.scalars(here / "all")
    # Keras' own numbers have more digits than TensorBoard's.
    for name, values in history.items():
        assert curves.pop(f"epoch/{name}") == [
            (epoch, pytest.approx(value)) for epoch, value in enumerate(values)
        ]
    # Both callbacks report, each in turn: the second one goes on behind the first.
    reported = [(step, pytest.approx(value)) for step, value in curves.pop("outputs/accuracy")]
    accuracy, loss = history["val_accuracy"], history["val_loss"]
    assert reported == [(0, accuracy[0]), (1, loss[0]), (2, accuracy[1]), (3, loss[1])]
    assert curves == {}


def test_batches_are_reported_and_shown(trained):
    _, here = trained
    curves = events.scalars(here / "batches")
    assert [step for step, _ in curves["batch/loss"]] == list(range(6))
    assert [step for step, _ in curves["outputs/accuracy"]] == list(range(12))
    assert set(curves) == {
        "batch/loss", "batch/accuracy", "epoch/loss", "epoch/accuracy", "outputs/accuracy",
    }  # fmt: skip


def test_a_metric_that_is_missing_is_a_typed_error_that_lists_what_is_there(trained):
    told, _ = trained
    assert "metric: must be one of accuracy, loss; val_… come with" in told["missing"]


def test_keras_finds_all_that_it_expects_of_a_callback(trained):
    told, _ = trained
    lacking = {name for name in told["lacking"] if "_api_" not in name}
    assert lacking <= {"_model", "validation_data"}  # where they keep what they need themselves
    assert {"on_train_batch_end", "on_test_batch_end", "on_batch_end"} <= set(told["default"])
