"""Trial files that were cut short, edited or copied: what is certain is taken, the rest named."""

from __future__ import annotations

import json
import math
import pickle

import pytest

from hopsml_flows.errors import DamagedFileError, StorageUnavailableError
from hopsml_flows.execution import Staging, earlier_trials, read_committed
from hopsml_flows.storage import ExperimentPaths, TrialFiles, retries
from hopsml_flows.trials import (
    DeviceUsage,
    MeanPeak,
    Past,
    State,
    Trial,
    TrialResult,
    commit_text,
    committed_result,
    past_trials,
    stored_params,
)

PATHS = ExperimentPaths("digits-1")
TRIAL = Trial(3, "0003-x=1", {"x": (1, 2)}, directory="generation.0/0003-x=1", generation=0)
RESULT = TrialResult(
    3, "0003-x=1", {"x": (1, 2)}, State.FINISHED, 0.5,
    {"accuracy": 0.5, "loss": math.nan, "curve": [1, math.inf, "Infinity"], "said": "NaN"},
    directory="generation.0/0003-x=1", attempt=2, started=10.0, ended=12.5, worker="tcp://w:1",
    generation=0, devices=DeviceUsage(1, MeanPeak(1.0, 2.0), MeanPeak(3.0, 4.0)),
)  # fmt: skip
TEXT = commit_text(RESULT, files=[])


def shortly(content):
    return repr(content)[:12]


DEEP = "[" * 100_000 + "]" * 100_000


def changed(*path, to):
    """The commit with one thing changed; None for what is removed."""
    content = json.loads(TEXT)
    holder = content
    for name in path[:-1]:
        holder = holder[name]
    if to is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = to
    return json.dumps(content)


def test_a_commit_is_strict_json_and_comes_back_as_it_was():
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    json.loads(TEXT, parse_constant=refuse)
    got = committed_result("f", TEXT, TRIAL)
    assert repr(got) == repr(RESULT)
    assert got.params is TRIAL.params


def test_a_commit_of_before_says_nothing_of_numbers_that_json_lacks():
    got = committed_result("f", changed("_commit", "not_finite", to=None), TRIAL)
    assert got.outputs["loss"] == "NaN"


DAMAGES = {
    "empty": ("", "is not JSON"),
    "cut": (TEXT[:-20], "is not JSON"),
    "not text": (b"\xff\xfe\x00", "is not JSON"),
    "deep": (DEEP, "is nested too deep"),
    "deep value": ('{"x": ' + DEEP[99_700:100_300] + "}", "is nested too deep"),
    "list": ("[]", "holds a list, not an object"),
    "number": ("7", "holds 7, not an object"),
    "null": ("null", "holds nothing, not an object"),
    "no commit": (changed("_commit", to=None), "has nothing for _commit, not an object"),
    "commit a text": (changed("_commit", to="x"), "has 'x' for _commit, not an object"),
    "commit a list": (changed("_commit", to=[1]), "has a list for _commit, not an object"),
    "empty commit": (changed("_commit", to={}), "has _commit.number nothing"),
    "other number": (changed("_commit", "number", to=7), "is of trial 7, not of trial 3"),
    "number true": (changed("_commit", "number", to=True), "has _commit.number True"),
    "number text": (changed("_commit", "number", to="3"), "has _commit.number '3'"),
    "metric text": (changed("_commit", "metric", to="high"), "has _commit.metric 'high'"),
    "metric true": (changed("_commit", "metric", to=True), "has _commit.metric True"),
    "metric NaN": (changed("_commit", "metric", to=math.nan), "has _commit.metric nan"),
    "metric huge": (changed("_commit", "metric", to=10**400), "has _commit.metric 1000"),
    "no attempt": (changed("_commit", "attempt", to=None), "has _commit.attempt nothing"),
    "attempt 0": (changed("_commit", "attempt", to=0), "has _commit.attempt 0"),
    "no start": (changed("_commit", "started", to=None), "has _commit.started nothing"),
    "end a list": (changed("_commit", "ended", to=[1]), "has _commit.ended a list"),
    "paths a number": (changed("_commit", "not_finite", to=5), "has wrong _commit.not_finite"),
    "paths astray": (changed("_commit", "not_finite", to=[["x"]]), "has wrong _commit.not_finite"),
    "no path": (changed("_commit", "not_finite", to=[[]]), "has wrong _commit.not_finite"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_commit_is_an_error_that_names_the_file_and_what_is_wrong(damage):
    content, reason = DAMAGES[damage]
    with pytest.raises(DamagedFileError) as caught:
        committed_result("p/.outputs.json", content, TRIAL)
    assert str(caught.value).startswith(f"p/.outputs.json {reason}")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("devices", [5, "x", [1], {"samples": 1}, {"samples": 1, "cpu": 5}])
def test_what_a_trial_took_may_be_lost_without_it(devices):
    got = committed_result("f", changed("_commit", "devices", to=devices), TRIAL)
    assert (got.metric, got.devices) == (0.5, None)


def test_without_a_metric_a_trial_of_a_search_is_not_done():
    content = json.loads(TEXT)
    content["_commit"]["metric"] = None
    text = json.dumps(content)
    assert committed_result("f", text, TRIAL).metric is None
    with pytest.raises(DamagedFileError, match=r"^f has no _commit.metric"):
        committed_result("f", text, TRIAL, needs_metric=True)


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "null", '"x"', DEEP, b"\xff"], ids=shortly)
def test_hyperparameters_are_an_object(content):
    with pytest.raises(DamagedFileError, match=r"^f (is|holds) "):
        stored_params("f", content)


GOOD = {"trial": "0001", "parameters": {"x": 1}, "state": "FINISHED", "metric": 1}


@pytest.mark.parametrize(
    "entry",
    [5, None, "x", [], {}, {**GOOD, "trial": 5}, {**GOOD, "parameters": [1]},
     {**GOOD, "metric": "high"}, {**GOOD, "metric": True}, {**GOOD, "metric": math.nan},
     {**GOOD, "state": "DONE"}, {**GOOD, "state": None}, {"state": "FINISHED", "metric": 1}],
    ids=repr,
)  # fmt: skip
def test_an_entry_of_a_summary_that_cannot_be_read_costs_only_itself(entry):
    text = json.dumps({"combinations": [GOOD, entry, {**GOOD, "trial": "0003"}]})
    past, unreadable = past_trials("f", text)
    assert past == [Past("0001", {"x": 1}, 1.0), Past("0003", {"x": 1}, 1.0)]
    assert unreadable == 1


def test_failed_trials_and_those_without_a_metric_are_no_damage():
    entries = [{**GOOD, "state": "FAILED", "metric": None}, {**GOOD, "metric": None}]
    assert past_trials("f", json.dumps({"combinations": entries})) == ([], 0)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"combinations": {}}', DEEP], ids=shortly)
def test_what_is_no_summary_is_an_error_that_names_the_file(content):
    with pytest.raises(DamagedFileError, match=r"^f "):
        past_trials("f", content)


# On storage


@pytest.fixture
def ran(project, tmp_path, monkeypatch):
    """Leaves a trial that is done; the paths of its files."""
    monkeypatch.chdir(tmp_path)

    def run(number, params):
        trial = Trial(number, f"{number:04d}-x", params, directory=f"{number:04d}-x")
        staging = Staging(project, PATHS, trial, local_logdir=False)
        staging.write(TrialFiles.HPARAMS, json.dumps(params))
        staging.commit(
            TrialResult(
                number, trial.name, params, State.FINISHED, 0.5, {"loss": math.nan},
                directory=trial.directory, started=1.0, ended=2.0,
            )
        )  # fmt: skip
        staging.close()
        return [
            PATHS.trial(trial.directory, name) for name in (TrialFiles.OUTPUTS, TrialFiles.HPARAMS)
        ]

    return run


@pytest.mark.parametrize("damage", [text for text, _ in DAMAGES.values()], ids=list(DAMAGES))
def test_a_damaged_commit_costs_its_trial_only(project, ran, damage):
    ran(1, {"x": 1})
    outputs, _ = ran(2, {"x": 2})
    project.replace(outputs, damage)
    left = earlier_trials(project, PATHS)
    assert list(left.results) == [1]
    assert math.isnan(left.results[1].outputs["loss"])
    assert left.params == {1: {"x": 1}, 2: {"x": 2}}
    assert left.unfinished == ("0002-x",)
    (found,) = left.damaged
    assert found.directory == "0002-x"
    assert found.error.file == project.full(outputs)
    assert read_committed(project, PATHS, Trial(2, "0002-x", {}, directory="0002-x")) is None


@pytest.mark.parametrize("damage", ["", "[1]", "null", DEEP], ids=shortly)
def test_damaged_hyperparameters_cost_a_trial_that_was_done(project, ran, damage):
    ran(1, {"x": 1})
    _, hparams = ran(2, {"x": 2})
    project.replace(hparams, damage)
    left = earlier_trials(project, PATHS)
    assert (list(left.results), list(left.params)) == ([1], [1])
    (found,) = left.damaged
    assert found.error.file == project.full(hparams)


def test_a_trial_that_was_killed_as_it_began_is_no_damage(project, ran):
    outputs, hparams = ran(1, {"x": 1})
    project.remove(outputs)
    project.replace(hparams, '{"x"')
    left = earlier_trials(project, PATHS)
    assert (left.damaged, left.unfinished) == ((), ("0001-x",))


def test_a_trial_that_is_done_elsewhere_is_not_damaged(project, ran):
    ran(1, {"x": 1})
    project.make_directory(f"{PATHS.root}/0001-old")
    for name, text in ((TrialFiles.OUTPUTS, "{"), (TrialFiles.HPARAMS, '{"x": 1}')):
        project.replace(f"{PATHS.root}/0001-old/{name}", text)
    left = earlier_trials(project, PATHS)
    assert left.damaged == ()
    assert left.directories == {1: "0001-x"}


# Storage that is away, or refuses


def failing(monkeypatch, project, name, errors):
    """Let reads of files of a name raise errors, one after the other; the number of reads."""
    read, reads = type(project).read, []

    def failing_read(self, path, start=0, stop=None):
        if path.endswith(name):
            reads.append(path)
            if errors:
                raise errors.pop(0)
        return read(self, path, start, stop)

    monkeypatch.setattr(type(project), "read", failing_read)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.01)
    return reads


@pytest.mark.parametrize("name", [TrialFiles.HPARAMS, TrialFiles.OUTPUTS])
def test_an_error_that_passes_costs_no_trial(monkeypatch, project, ran, name):
    ran(1, {"x": 1})
    reads = failing(monkeypatch, project, name, [TimeoutError("busy"), ConnectionError("reset")])
    assert list(earlier_trials(project, PATHS).results) == [1]
    assert len(reads) == 4 - (name == TrialFiles.OUTPUTS)  # the experiment's own directory is asked


@pytest.mark.parametrize("name", [TrialFiles.HPARAMS, TrialFiles.OUTPUTS])
def test_a_refusal_is_an_error_that_names_the_file_and_no_missing_trial(
    monkeypatch, project, ran, name
):
    ran(1, {"x": 1})
    error = PermissionError(13, "Permission denied")
    failing(monkeypatch, project, name, [error] * 9)
    with pytest.raises(StorageUnavailableError, match=rf"/{name} cannot be read \(PermissionErr"):
        earlier_trials(project, PATHS)
