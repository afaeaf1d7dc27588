"""``hopsml_flows.experiments``: what ran, from Python."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hopsml_flows import experiments
from hopsml_flows.ablation.findings_file import findings_json
from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.search import Direction
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.trials import State
from tests.written import FINDINGS, over, result

FIRST = "digits-20240101-120000-aaaaaa"
SECOND = "digits-20240301-120000-bbbbbb"
IRIS = "iris-20240401-120000-cccccc"


@pytest.fixture
def filled(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOPSML_PROJECT", project.url)
    over(project, FIRST, [result(1, {"lr": 0.1}, 0.5)], tags=("first",))
    paths = over(project, SECOND, [result(n, {"lr": n / 10}, n / 10) for n in (3, 1, 2)])
    project.replace(paths.program(".py"), "print(1)\n")
    project.replace(paths.environment, "numpy==2.1.0\n")
    over(project, IRIS, [result(1, {"depth": 3}, 7.0)], direction="MIN", optimization_key="loss")
    return project


def test_experiments_are_listed_with_the_newest_first(filled):
    assert [each.id for each in experiments.list()] == [IRIS, SECOND, FIRST]
    assert [each.id for each in experiments.list(filled.url, name="digits", limit=1)] == [SECOND]
    assert [each.id for each in experiments.list(tag="first", state=["FINISHED"])] == [FIRST]
    since = datetime(2024, 2, 1, tzinfo=UTC)
    assert [each.id for each in experiments.list(since=since, until="2024-03-15")] == [SECOND]
    assert experiments.list(since="1d") == []


@pytest.mark.parametrize("conditions", [{"state": "no"}, {"since": "no"}, {"limit": -1}])
def test_a_wrong_condition_is_an_error(filled, conditions):
    with pytest.raises(InvalidArgumentError, match=next(iter(conditions))):
        experiments.list(**conditions)


def test_an_experiment_has_what_its_files_say(filled):
    found = experiments.get("digits@-1")
    assert (found.id, found.name, found.state) == (SECOND, "digits", "FINISHED")
    assert found.direction is Direction.MAX
    assert (found.metric, found.best.number) == (0.3, 3)
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    assert (found.program, found.environment) == ("print(1)\n", "numpy==2.1.0\n")
    assert found.path == filled.full(ExperimentPaths(SECOND).root)
    assert found.problem is None
    assert repr(found) == f"<Experiment {SECOND}: FINISHED>"


def test_an_ablation_study_has_its_effects(filled):
    paths = over(filled, SECOND, [result(1, {"x": 1}, 0.9)], function="ablation")
    assert experiments.get(SECOND).effects == ()  # it is not over, or was stopped
    filled.replace(paths.effects, json.dumps(findings_json(FINDINGS)))
    found = experiments.get(SECOND)
    assert found.findings == FINDINGS
    assert [judged.words for judged in found.effects] == [
        "matters at 2 repeats: without it the metric is 0.375 worse"
    ]
    assert found.metrics_by_arm["feature age"] == {1: 0.5, 2: 0.45}
    assert found.interactions == ()
    filled.replace(paths.effects, "half")
    assert experiments.get(SECOND).findings is None


def test_a_study_of_maggys_verb_has_its_effects_too(filled):
    paths = over(filled, SECOND, function="lagom", options={"interactions": 1, "repeats": 1})
    filled.replace(paths.effects, json.dumps(findings_json(FINDINGS)))
    assert experiments.get(SECOND).effects == FINDINGS.effects


def test_an_experiment_that_is_no_study_has_no_effects(filled):
    paths = ExperimentPaths(FIRST)
    filled.replace(paths.effects, json.dumps(findings_json(FINDINGS)))
    found = experiments.get(FIRST)
    assert (found.findings, found.effects, found.interactions) == (None, (), ())
    assert found.metrics_by_arm == {}


def test_files_are_read_when_they_are_used(filled):
    found = experiments.get(SECOND)
    filled.remove(ExperimentPaths(SECOND).root, recursive=True)
    assert found.state == "UNKNOWN"
    assert (found.trials, found.best, found.program, found.metric) == ((), None, None, None)


def test_a_trial_is_found_by_number_name_and_beginning(filled):
    found = experiments.get(SECOND)
    assert [found.trial(t).number for t in (2, "2", "0002", "0002-lr=0.2", "0002-l")] == [2] * 5
    for text in ("9", "", "000"):
        with pytest.raises(NotFoundError, match="TRIAL"):
            found.trial(text)


def test_a_damaged_record_has_a_problem(filled):
    filled.replace(ExperimentPaths(SECOND).record, b"half")
    found = experiments.get(SECOND)
    assert found.state == "DAMAGED"
    assert "is no record" in found.problem
    assert [trial.number for trial in found.trials] == [1, 2, 3]


def test_the_best_of_several_experiments_is_found(filled):
    assert experiments.best().experiment.id == IRIS
    best = experiments.best("digits@-1", FIRST)
    assert (best.id, best.metric, best.params) == (f"{FIRST}/1", 0.5, {"lr": 0.1})
    assert best.path == filled.full(f"{ExperimentPaths(FIRST).root}/0001-lr=0.1")
    assert experiments.best(name="digits") is not None
    assert experiments.best(name="nothing") is None


def test_different_aims_have_no_best(filled):
    with pytest.raises(InvalidArgumentError, match="must have one aim"):
        experiments.best(SECOND, IRIS)
    with pytest.raises(InvalidArgumentError, match="must stand alone"):
        experiments.best(SECOND, name="digits")


def test_an_experiment_that_optimizes_nothing_has_no_best(filled):
    over(filled, FIRST, [result(1, {"x": 1})], direction=None)
    assert experiments.best(FIRST) is None


def test_trials_of_experiments_become_a_table(filled):
    pytest.importorskip("pandas")
    table = experiments.to_pandas(FIRST, experiments.get(SECOND))
    assert table["experiment"].tolist() == [FIRST, SECOND, SECOND, SECOND]
    assert table["params.lr"].tolist() == [0.1, 0.1, 0.2, 0.3]
    assert table.columns[:3].tolist() == ["experiment", "number", "params.lr"]
    assert experiments.get(IRIS).to_pandas()["metric"].tolist() == [7.0]


def test_experiments_become_a_table(filled):
    pytest.importorskip("pandas")
    filled.replace(ExperimentPaths(FIRST).record, b"half")
    table = experiments.to_pandas()
    assert table["id"].tolist() == [IRIS, SECOND, FIRST]
    assert table["state"].tolist() == ["FINISHED", "FINISHED", "DAMAGED"]
    assert "is no record" in table["problem"].tolist()[-1]


def test_experiments_and_trials_are_compared(filled):
    comparison = experiments.compare(FIRST, SECOND)
    assert comparison.heads == (FIRST, SECOND)
    assert {row.name: row.values for row in comparison.differences}["metric"] == (0.5, 0.3)
    comparison = experiments.compare(f"{SECOND}/1", f"{SECOND}/2")
    assert {row.name for row in comparison.differences} == {
        "metric", "params.lr", "outputs.accuracy"
    }  # fmt: skip
    pytest.importorskip("pandas")
    assert comparison.to_pandas().loc["params.lr"].tolist() == [0.1, 0.2]
    with pytest.raises(InvalidArgumentError, match="at least two"):
        experiments.compare(FIRST)


def test_a_running_experiment_is_read_again_when_it_is_got_again(filled):
    over(filled, FIRST, [result(1, {"lr": 0.1}, 0.5)], state=State.RUNNING)
    assert len(experiments.get(FIRST).trials) == 1
    over(filled, FIRST, [result(n, {"lr": n / 10}, 0.5) for n in (1, 2)], state=State.RUNNING)
    assert len(experiments.get(FIRST).trials) == 2
