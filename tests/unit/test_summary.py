from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.tracking import Summary
from hopsml_flows.trials import Failure, State, TrialResult, exact_values, told_result

PATHS = ExperimentPaths("e-1")


def result(number, **options):
    return TrialResult(
        number,
        f"{number:04d}",
        options.pop("params", {"x": number}),
        State.FINISHED,
        0.5,
        options.pop("outputs", {"metric": 0.5}),
    )


@pytest.fixture
def summary(project):
    project.make_directory(PATHS.root)
    return Summary(project, PATHS)


def combinations(project):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(project.read(PATHS.summary), parse_constant=refuse)["combinations"]


def test_the_first_result_is_written_at_once(project, summary):
    summary.add(result(1))
    (entry,) = combinations(project)
    assert entry["parameters"] == {"x": 1}
    assert entry["outputs"] == {"metric": 0.5}
    assert (entry["trial"], entry["state"], entry["metric"]) == ("0001", "FINISHED", 0.5)


def test_results_that_come_soon_after_wait_and_all_are_there_in_the_end(project, summary):
    for number in (3, 1, 2):
        summary.add(result(number))
    assert len(combinations(project)) == 1
    summary.write()
    assert [entry["parameters"]["x"] for entry in combinations(project)] == [1, 2, 3]


def test_a_failed_trial_is_there_with_its_reason(project, summary):
    failed = TrialResult(1, "0001", {"x": 1}, State.FAILED, failure=Failure("ValueError", "no"))
    summary.add(failed)
    (entry,) = combinations(project)
    assert entry["state"] == "FAILED"
    assert entry["error"] == "ValueError: no"
    assert entry["outputs"] == {}
    assert "error_place" not in entry


def test_a_failure_in_the_users_code_has_its_place(project, summary):
    failure = Failure("ValueError", "no", place="/home/me/train.py:12")
    summary.add(TrialResult(1, "0001", {"x": 1}, State.FAILED, failure=failure))
    (entry,) = combinations(project)
    assert entry["error_place"] == "/home/me/train.py:12"


def test_an_experiment_without_results_has_an_empty_summary(project, summary):
    summary.write()
    assert combinations(project) == []


def test_nothing_new_is_not_written_again(project, summary):
    summary.add(result(1))
    project.replace(PATHS.summary, "somebody else's")
    summary.write()
    assert project.read(PATHS.summary) == b"somebody else's"


def test_parameters_that_json_writes_otherwise_are_still_json(project, summary):
    summary.add(result(1, params={"x": math.nan, "path": Path("a"), "pair": (1, 2)}))
    (entry,) = combinations(project)
    assert entry["parameters"] == {"x": "NaN", "path": "a", "pair": [1, 2]}
    assert entry["other_types"] == {"path": "PosixPath", "pair": "tuple"}


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks_are_read_back(project, summary, number):
    params = {"x": number, "deep": [1, {"y": number}], "text": "NaN"}
    summary.add(result(1, params=params, outputs={"loss": number, "size": 2}))
    (entry,) = combinations(project)
    assert told_result(entry, 1).params == entry["parameters"]
    values = exact_values(entry)
    assert repr(values.params) == repr(params)
    assert repr(values.outputs) == repr({"loss": number, "size": 2})
    assert values.types == {}
    assert entry["parameters"]["text"] == "NaN"  # and the entry is as it was
    assert isinstance(entry["parameters"]["x"], str)


@pytest.mark.parametrize("paths", [7, [7], [[]], [["parameters", "y"]], [["state"]], "text"])
def test_paths_to_no_such_number_are_left_out(paths):
    entry = {"parameters": {"x": "NaN"}, "not_finite": paths, "other_types": ["x"]}
    values = exact_values(entry)
    assert (values.params, values.outputs, values.types) == ({"x": "NaN"}, {}, {})
