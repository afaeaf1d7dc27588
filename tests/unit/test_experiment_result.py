from __future__ import annotations

import dataclasses
import pickle

import pytest

from hopsml_flows.search import Direction, Why
from hopsml_flows.trials import Failure, RunResult, SearchResult, State, Trial, TrialResult

GOOD = TrialResult(
    1, "0001-x=1", {"x": 1}, State.FINISHED, 0.5, {"metric": 0.5}, "0001-x=1", 1, 10.0, 12.5
)
BAD = TrialResult(
    2, "0002-x=2", {"x": 2}, State.FAILED, directory="0002-x=2", failure=Failure("ValueError", "no")
)


def result(function="grid_search", best=GOOD, trials=(GOOD, BAD)):
    kind = SearchResult if function == "grid_search" else RunResult
    return kind(
        "id", function, "/p/Experiments/id", State.FINISHED, Direction.MAX, best, trials, 3.0
    )


def test_a_search_unpacks_into_best_directory_parameters_and_outputs():
    path, params, outputs = result()
    assert path == "/p/Experiments/id/0001-x=1"
    assert params == {"x": 1}
    assert outputs == {"metric": 0.5}


def test_a_launch_unpacks_into_its_directory_and_its_one_trials_outputs():
    path, outputs = result("launch", trials=(GOOD,))
    assert path == "/p/Experiments/id"
    assert outputs == {"metric": 0.5}


def test_a_result_is_the_tuple_that_hopsml_returned():
    searched = result()
    path, params, outputs = searched
    assert (searched[0], searched[1], searched[2]) == (path, params, outputs)
    assert (searched[-1], searched[-3]) == (outputs, path)
    assert searched[1:] == (params, outputs)
    assert searched[::-1] == (outputs, params, path)
    assert len(searched) == 3
    assert [*reversed(searched)] == [outputs, params, path]
    assert params in searched
    assert searched.index(path) == 0
    for function in ("launch", "mirrored", "collective_all_reduce", "parameter_server"):
        one = result(function, trials=(GOOD,))
        assert tuple(one) == one[:] == (one.path, {"metric": 0.5})
        assert (len(one), one[1], one[-2]) == (2, {"metric": 0.5}, one.path)
        with pytest.raises(IndexError):
            one[2]
    with pytest.raises(IndexError):
        searched[3]
    with pytest.raises(TypeError):
        searched["path"]
    assert len(result(best=None)) == 3  # a failed search is no empty one
    assert result(best=None)


def test_a_launch_of_several_trials_or_without_outputs_has_none():
    assert result("launch").outputs is None
    silent = dataclasses.replace(GOOD, outputs={})
    assert result("launch", trials=(silent,)).outputs is None


def test_without_a_best_trial_there_is_nothing_best():
    empty = result(best=None)
    assert list(empty) == [None, None, None]
    assert empty.best_metric is None
    assert empty.best_dir is None


def test_the_best_trial_of_an_experiment_without_trial_directories_lies_in_its_own():
    own = result("launch", best=dataclasses.replace(GOOD, directory=""))
    assert own.best_dir == "/p/Experiments/id"


def test_failed_lists_the_failed_trials():
    assert result().failed == (BAD,)


def test_the_table_has_parameters_outputs_and_errors():
    table = result().to_pandas()
    assert list(table["number"]) == [1, 2]
    assert list(table["params.x"]) == [1, 2]
    assert table["outputs.metric"][0] == 0.5
    assert list(table["state"]) == ["FINISHED", "FAILED"]
    assert table["seconds"][0] == 2.5
    assert table["error"][1] == "ValueError: no"


def test_the_table_has_budgets_and_why_trials_were_stopped_where_some_have_any():
    why = Why("floor", 0.1, "its {value} is below {threshold}", 2, 0.5)
    stopped = dataclasses.replace(GOOD, state=State.STOPPED, why_stopped=why, budget=3)
    table = result(trials=(stopped, dataclasses.replace(BAD, budget=9))).to_pandas()
    assert list(table["budget"]) == [3, 9]
    assert table["why_stopped"][0] == "floor at step 2: its 0.1 is below 0.5"
    assert list(table["why_stopped"].isna()) == [False, True]
    assert not {"budget", "why_stopped"} & set(result().to_pandas().columns)


def test_the_table_takes_text_that_is_not_unicode():
    odd = dataclasses.replace(GOOD, outputs={"metric": 0.5, "caf\udce9": "a\udce9"})
    table = result(trials=(odd, BAD)).to_pandas()
    assert table["outputs.caf\\udce9"][0] == "a\\udce9"


@pytest.mark.parametrize(
    "value", [result(), GOOD, BAD, Trial(1, "0001", {"x": 1}), Failure("E", "m", "t")], ids=repr
)
def test_values_that_cross_processes_pickle_and_are_frozen(value):
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, 9)


def test_a_duration_is_never_negative():
    assert dataclasses.replace(GOOD, started=20.0, ended=10.0).duration == 0.0


def test_a_failure_reads_as_kind_and_message():
    assert str(Failure("ValueError", "no")) == "ValueError: no"
    assert str(Failure("KeyboardInterrupt", "")) == "KeyboardInterrupt"
