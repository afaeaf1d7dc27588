"""Ablation studies on real workers: their trials, and what each of them gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import AblationStudy, experiment, experiments
from hopsml_flows.errors import InvalidArgumentError
from tests.documents import ROOT

RUNNER = """
import json, runpy, sys

result = runpy.run_path(sys.argv[1], run_name="__main__")["result"]
told = [
    {"directory": f"{result.path}/{t.directory}", "metric": t.metric, "seed": t.seed}
    for t in result.trials
]
json.dump({"trials": told, "arms": list(result.metrics_by_arm)}, open(sys.argv[2], "w"))
"""

FEATURES = ["pclass", "fare", "sex"]
LAYERS = [f"my_dense_{name}" for name in ("one", "two", "three", "four", "five", "sigmoid")]
NONE = "None"


@pytest.fixture
def options(prefect_server, project):
    cluster = experiment.ClusterConfig(kind="local", n_workers=1)
    return {"project": str(project), "cluster": cluster, "progress": False, "tensorboard": False}


@pytest.mark.slow
@pytest.mark.timeout(900)  # each of its processes imports TensorFlow
def test_the_titanic_program_has_eleven_trials_which_lack_what_their_files_say(
    prefect_server, tmp_path
):
    told = tmp_path / "told.json"
    program = ROOT / "examples" / "maggy" / "titanic.py"
    variables = {"PREFECT_API_URL": prefect_server, "HOPSML_PROJECT": str(tmp_path / "project")}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(program), str(told)],
        cwd=tmp_path,
        env={**os.environ, **variables, "HOPSML_TENSORBOARD": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text())
    directories = [Path(trial["directory"]) for trial in found["trials"]]
    assert [json.loads((one / ".hparams.json").read_text()) for one in directories] == [
        {"ablated_feature": feature, "ablated_layer": layer}
        for feature, layer in [
            (NONE, NONE),
            *((name, NONE) for name in FEATURES),
            *((NONE, name) for name in LAYERS[1:-1]),
            (NONE, ["my_dense_two", "my_dense_four"]),
            (NONE, "Layers prefixed my_dense"),
            (NONE, "Custom model: one layer"),
        ]
    ]
    assert all(trial["metric"] is not None for trial in found["trials"])
    assert len({trial["seed"] for trial in found["trials"]}) == 1
    assert found["arms"][0] == "base"
    assert len(found["arms"]) == 11
    logs = [(one / "output.log").read_text() for one in directories]
    columns = ["age", "fare", "pclass", "sex"]
    for log, removed in zip(logs, [None, *FEATURES, *[None] * 7], strict=True):
        assert f"columns {[name for name in columns if name != removed]}" in log
    gone = [
        *[[]] * 4,
        *([name] for name in LAYERS[1:-1]),
        ["my_dense_two", "my_dense_four"],
        LAYERS[1:-1],
    ]
    for log, removed in zip(logs[:-1], gone, strict=True):
        assert f"layers {[name for name in LAYERS if name not in removed]}" in log
    assert "layers ['only']" in logs[-1]


def of_noise(dataset_function, ablated_feature):
    import random

    if ablated_feature == "b":
        raise ValueError("nothing without b")
    x, y = dataset_function()
    return {"metric": float(x.sum()), "columns": x.shape[1], "drawn": [random.random(), y[0]]}


def study_of_arrays():
    study = AblationStudy(feature_names=["a", "b", "c"])
    study.set_dataset((np.arange(12.0).reshape(4, 3), [0.0, 1.0, 0.0, 1.0]))
    study.features.include("a", "b")
    return study


def test_repeats_are_paired_by_seed_and_a_failing_arm_does_not_end_the_study(options):
    result = experiment.ablation(of_noise, study_of_arrays(), repeats=2, seed=3, **options)
    assert [trial.params["ablated_feature"] for trial in result.trials] == ["None", "a", "b"] * 2
    assert [trial.repeat for trial in result.trials] == [1, 1, 1, 2, 2, 2]
    assert [str(trial.failure) for trial in result.failed] == ["ValueError: nothing without b"] * 2
    assert result.metrics_by_arm == {
        "base": {1: 66.0, 2: 66.0},
        "feature a": {1: 48.0, 2: 48.0},
        "feature b": {},
    }
    base, without = result.trials[0].outputs, result.trials[1].outputs
    assert (base["columns"], without["columns"]) == (3, 2)
    assert base["drawn"] == without["drawn"]
    assert base["drawn"] != result.trials[3].outputs["drawn"]
    stored = experiments.get(result.id, project=options["project"])
    assert [trial.repeat for trial in stored.trials] == [1, 1, 1, 2, 2, 2]
    assert [trial.seed for trial in stored.trials] == [trial.seed for trial in result.trials]
    again = experiment.ablation(
        of_noise, study_of_arrays(), repeats=2, seed=3, resume=result.id, **options
    )
    assert again.metrics_by_arm == result.metrics_by_arm
    assert again.trials[0].ended == result.trials[0].ended


def with_skip():
    import keras

    layers = keras.layers
    inputs = keras.Input(shape=(4,), name="inputs")
    first = layers.Dense(4, name="first")(inputs)
    narrow = layers.Dense(2, name="narrow")(first)
    wide = layers.Dense(4, name="wide")(narrow)
    outputs = layers.Dense(1, name="last")(layers.Add(name="add")([first, wide]))
    return keras.Model(inputs, outputs)


def of_model(model_function):
    model = model_function()
    return {"metric": model.count_params(), "layers": [layer.name for layer in model.layers]}


@pytest.mark.slow
def test_a_skip_connection_is_rewired_and_what_does_not_fit_fails_alone(options):
    study = AblationStudy()
    study.model.set_base_model_generator(with_skip)
    study.model.layers.include("narrow", "wide")
    study.model.modules.include("narrow", "add")
    result = experiment.ablation(of_model, study, repeats=1, **options)
    base, narrow, wide, module = result.trials
    assert narrow.outputs["layers"] == ["inputs", "first", "wide", "add", "last"]
    assert module.outputs["layers"] == ["inputs", "first", "last"]
    assert base.metric > narrow.metric > module.metric
    assert result.failed == (wide,)
    assert wide.failure.kind == "AblationError"
    assert "'wide' (from shape (None, 2) to (None, 4))" in wide.failure.message
    log = Path(result.path, wide.directory, "output.log").read_text()
    assert "adapt=True puts a linear layer there" in log


def without_names(num_epochs, batch_size):
    return np.zeros((4, 3))


def failing(num_epochs, batch_size):
    raise OSError("no such table")


@pytest.mark.parametrize(
    ("generator", "said"),
    [
        (without_names, "the dataset's features have no names: give feature_names="),
        (failing, "dataset_generator: 'failing' cannot be used, because it failed with OSError: n"),
    ],
)
def test_what_only_a_generator_tells_is_an_error_before_anything_starts(options, generator, said):
    study = AblationStudy(dataset_generator=generator)
    study.features.include("a")
    with pytest.raises(InvalidArgumentError, match=said):
        experiment.ablation(of_noise, study, **options)
    assert not Path(options["project"], "Experiments").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("include", "said"),
    [
        (lambda layers: layers.include("narow"), "narrow, wide, add, last; did you mean narrow"),
        (lambda layers: layers.include("first"), "must be a layer between the first and the last"),
        (lambda layers: layers.include_groups(prefix="deep"), "must begin the name of a layer"),
    ],
)
def test_a_layer_that_the_model_lacks_is_an_error_before_anything_starts(options, include, said):
    study = AblationStudy()
    study.model.set_base_model_generator(with_skip)
    include(study.model.layers)
    with pytest.raises(InvalidArgumentError, match=said):
        experiment.ablation(of_model, study, **options)
    assert not Path(options["project"], "Experiments").exists()
