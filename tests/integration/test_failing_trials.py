from __future__ import annotations

import math
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError
from tests.logs import without_log
from tests.servers.prefect import task_runs


def picky(x):
    if x == 2:
        raise RuntimeError("two is too much")
    if x == 3:
        return {"loss": 1.0, "accuracy": float("nan")}
    if x == 4:
        return "0.5"
    if x == 5:
        return {"loss": 1.0, "other": 2.0}
    return {"accuracy": float(x), "loss": 1.0}


def test_a_failing_trial_costs_only_itself(options):
    result = experiment.grid_search(
        picky, {"x": [1, 2, 3, 4, 5, 6]}, optimization_key="accuracy", **options
    )
    assert result.state.value == "FINISHED"
    assert result.best_params == {"x": 6}
    reasons = {trial.params["x"]: str(trial.failure) for trial in result.failed}
    assert set(reasons) == {2, 3, 4, 5}
    assert reasons[2] == "RuntimeError: two is too much"
    assert "accuracy" in reasons[3]
    assert "NaN" in reasons[3]
    assert "must return a number, or a dict with the key 'accuracy'" in reasons[4]
    assert "lacks the optimization key 'accuracy'" in reasons[5]
    assert "'loss'" in reasons[5]

    assert all(trial.devices.samples >= 1 for trial in result.trials)

    failed = Path(result.path) / "0002-x=2"
    log = (failed / "output.log").read_text()
    assert "Traceback (most recent call last):" in log
    assert 'raise RuntimeError("two is too much")' in log
    assert "hopsml_flows/execution" not in log
    assert not (failed / ".outputs.json").exists()

    runs = task_runs(result.flow_run_id, 6)
    states = {run["name"]: run["state_type"] for run in runs}
    assert len(runs) == 6
    assert states["0002-x=2"] == "FAILED"
    assert states["0006-x=6"] == "COMPLETED"


def test_when_all_fail_the_experiment_has_failed_and_says_why(options, experiments):
    def broken(x):
        raise ValueError(f"no data for {x}")

    with pytest.raises(ExperimentFailedError, match=r"all 2 trials.*no data for 1") as caught:
        experiment.grid_search(broken, {"x": [1, 2]}, **options)
    (record,) = experiments().values()
    assert record["state"] == "FAILED"
    assert "no data for 1" in record["error"]
    assert record["trials_failed"] == 2
    assert [trial.params["x"] for trial in caught.value.result.trials] == [1, 2]


def test_sys_exit_in_a_trial_fails_the_trial_only(options):
    def leaves(x):
        import sys

        if x == 1:
            sys.exit("leaving")
        return x

    result = experiment.grid_search(leaves, {"x": [1, 2]}, **options)
    assert [trial.state.value for trial in result.trials] == ["FAILED", "FINISHED"]
    assert str(result.trials[0].failure) == "SystemExit: leaving"


def test_infinite_metrics_are_failures_and_other_outputs_may_be_anything(options):
    def odd(x):
        return {"metric": math.inf if x == 1 else 1.5, "trace": [math.nan, 1.0]}

    result = experiment.grid_search(odd, {"x": [1, 2]}, **options)
    assert [trial.state.value for trial in result.trials] == ["FAILED", "FINISHED"]
    assert repr(without_log(result.outputs)) == "{'metric': 1.5, 'trace': [nan, 1.0]}"
