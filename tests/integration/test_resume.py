"""What resume= hands to the function and gives back, whatever lies on storage."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import HopsmlWarning, StorageUnavailableError
from hopsml_flows.search import Categorical
from hopsml_flows.storage import Project
from tests.logs import without_log


@pytest.fixture
def switch(tmp_path):
    """A file: as long as it is there, some trials fail."""
    path = tmp_path / "broken"
    path.touch()
    return path


def record_of(result):
    return json.loads(Path(result.path, "experiment.json").read_text())


def strict(path):
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{path}: {name}"))


def directories(result):
    return sorted(path.name for path in Path(result.path).iterdir() if path.is_dir())


def test_values_reach_the_function_and_the_result_as_the_user_wrote_them(options, switch, tmp_path):
    diary = tmp_path / "diary"
    values = [
        math.inf, math.nan, -0.0, (3, 3), Path("data") / "a.csv", np.arange(3.0), {1: "x"},
        {"b", "a"}, frozenset({2, 1}), [np.float32(0.5)], "NaN",
    ]  # fmt: skip

    def shown(value):
        text = sorted(map(repr, value)) if isinstance(value, (set, frozenset)) else repr(value)
        return f"{type(value).__name__} {text}"

    def train(value, odd):
        text = sorted(map(repr, value)) if isinstance(value, (set, frozenset)) else repr(value)
        with diary.open("a") as lines:
            lines.write(f"{odd} {type(value).__name__} {text}\n")
        if odd and switch.exists():
            raise OSError("disk full")
        return odd

    grid = {"value": values, "odd": [0, 1]}
    first = experiment.grid_search(train, grid, **options)
    assert len(first.failed) == len(values)
    began = directories(first)
    switch.unlink()
    diary.write_text("")
    again = experiment.grid_search(train, grid, resume=first.id, **options)
    assert again.failed == ()
    assert directories(again) == began
    wanted = [shown(value) for value in values]
    assert sorted(diary.read_text().splitlines()) == sorted(f"1 {text}" for text in wanted)
    assert [shown(trial.params["value"]) for trial in again.trials][::2] == wanted
    assert [shown(trial.params["value"]) for trial in first.trials][::2] == wanted
    assert [trial.directory for trial in again.trials] == [t.directory for t in first.trials]
    assert [trial.ended for trial in again.trials][::2] == [t.ended for t in first.trials][::2]


@pytest.mark.parametrize("verb", ["random_search", "differential_evolution"])
def test_choices_of_finished_trials_stay_what_they_are(options, verb):
    bounds = {"size": Categorical([(3, 3), math.nan, {"a", "b"}]), "rate": [0.1, 1.0]}
    budget = {"samples": 5} if verb == "random_search" else {"population": 4, "generations": 1}

    def train(size, rate):
        return rate

    run = getattr(experiment, verb)
    first = run(train, bounds, seed=3, **budget, **options)
    again = run(train, bounds, resume=first.id, **budget, **options)
    assert [t.ended for t in again.trials] == [t.ended for t in first.trials]
    for now, then in zip(again.trials, first.trials, strict=True):
        assert repr(now.params["rate"]) == repr(then.params["rate"])
        assert type(now.params["size"]) is type(then.params["size"])
        assert image(now.params["size"]) == image(then.params["size"])


def image(value):
    return sorted(value) if isinstance(value, set) else repr(value)


def test_outputs_that_are_not_finite_are_floats_in_python_and_text_in_strict_json(options):
    def train(x):
        import math

        loss = math.nan if x == 1 else 0.5
        return {"metric": x, "loss": loss, "curve": [1.0, -math.inf], "said": "NaN"}

    first = experiment.grid_search(train, {"x": [1, 2]}, **options)
    again = experiment.grid_search(train, {"x": [1, 2]}, resume=first.id, **options)
    for result in (first, again):
        assert repr(without_log(result.trials[0].outputs)) == (
            "{'metric': 1, 'loss': nan, 'curve': [1.0, -inf], 'said': 'NaN'}"
        )
        table = result.to_pandas()
        assert table["outputs.loss"].dtype == float
        assert table["outputs.loss"].isna().tolist() == [True, False]
    stored = strict(Path(first.path) / first.trials[0].directory / ".outputs.json")
    assert (stored["loss"], stored["curve"], stored["said"]) == ("NaN", [1.0, "-Infinity"], "NaN")
    assert stored["_commit"]["not_finite"] == [["loss"], ["curve", 1]]
    (one, _) = strict(Path(first.path) / ".summary.json")["combinations"]
    assert one["outputs"]["loss"] == "NaN"


def commit(path, **changes):
    content = json.loads(path.read_text())
    content["_commit"].update(changes)
    path.write_text(json.dumps(content))


def test_damaged_trials_are_run_again_and_named_and_the_experiment_stays_finished(
    options, tmp_path
):
    diary = tmp_path / "diary"

    def train(x):
        with diary.open("a") as lines:
            lines.write(f"{x}\n")
        return x

    grid = {"x": list(range(1, 9))}
    first = experiment.grid_search(train, grid, name="damaged", **options)
    outputs = [Path(first.path, trial.directory, ".outputs.json") for trial in first.trials]
    hparams = [path.with_name(".hparams.json") for path in outputs]
    outputs[1].write_text("")
    commit(outputs[2], number=7)
    commit(outputs[3], metric="high")
    outputs[4].write_text('{"_commit": "x"}')
    hparams[5].write_text("[1, 2]")
    hparams[6].write_text('{"x": 99}')
    damaged = [*outputs[1:5], *hparams[5:7]]
    diary.write_text("")
    with pytest.warns(HopsmlWarning, match="a trial that was done is run again") as caught:
        again = experiment.grid_search(train, grid, resume=first.id, **options)
    said = "\n".join(str(warning.message) for warning in caught)
    assert all(str(path) in said for path in damaged)
    assert said.count("run again") == len(damaged)
    assert sorted(diary.read_text().split()) == ["2", "3", "4", "5", "6", "7"]
    assert [trial.metric for trial in again.trials] == list(range(1, 9))
    assert [trial.ended for trial in again.trials][::7] == [t.ended for t in first.trials][::7]
    assert record_of(again)["state"] == "FINISHED"
    assert directories(again) == directories(first)
    assert len(strict(Path(again.path) / ".summary.json")["combinations"]) == 8

    third = experiment.grid_search(train, grid, resume=first.id, **options)  # all is well again
    assert [trial.ended for trial in third.trials] == [t.ended for t in again.trials]


def test_a_damaged_launch_without_hyperparameters_is_run_again(options):
    def train():
        return 5

    first = experiment.launch(train, **options)
    Path(first.path, ".outputs.json").write_text("null")
    with pytest.warns(HopsmlWarning, match="holds nothing, not an object"):
        again = experiment.launch(train, resume=first.id, **options)
    assert without_log(again.outputs) == {"metric": 5}


def test_a_record_is_left_alone_as_long_as_it_is_not_known_what_to_do(options, monkeypatch):
    def train(x):
        return x

    first = experiment.grid_search(train, {"x": [1, 2]}, **options)
    before = {p: p.read_bytes() for p in Path(first.path).rglob("*") if p.is_file()}
    read = Project.read

    def refused(self, path, *place):
        if path.endswith(".outputs.json"):
            raise PermissionError(13, "Permission denied")
        return read(self, path, *place)

    with monkeypatch.context() as patch:
        patch.setattr(Project, "read", refused)
        with pytest.raises(StorageUnavailableError, match=r"\.outputs\.json cannot be read"):
            experiment.grid_search(train, {"x": [1, 2]}, resume=first.id, **options)
    assert {p: p.read_bytes() for p in Path(first.path).rglob("*") if p.is_file()} == before


def test_a_trial_keeps_its_directory_when_the_functions_signature_has_changed(options, switch):
    def train(a, b):
        if switch.exists() and a == 2:
            raise OSError("disk full")
        return a * b

    def changed(b, a, c=1):
        return a * b * c

    grid = {"a": [1, 2], "b": [3]}
    first = experiment.grid_search(train, grid, **options)
    switch.unlink()
    again = experiment.grid_search(changed, grid, resume=first.id, **options)
    assert [trial.metric for trial in again.trials] == [3, 6]
    assert directories(again) == directories(first) == ["0001-a=1-b=3", "0002-a=2-b=3"]
