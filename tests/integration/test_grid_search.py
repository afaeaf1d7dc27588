from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from hopsml_flows import experiment
from hopsml_flows.experiment import Direction
from hopsml_flows.storage import TrialFiles
from tests.logs import printed
from tests.servers.prefect import artifacts, task_runs

from .training import accuracy

GRID = {"learning_rate": [0.001, 0.0005, 0.0001], "dropout": [0.45, 0.7]}
DOCUMENTED_ORDER = [
    (0.001, 0.45),
    (0.001, 0.7),
    (0.0005, 0.45),
    (0.0005, 0.7),
    (0.0001, 0.45),
    (0.0001, 0.7),
]


@pytest.fixture(scope="module")
def searched(prefect_server, tmp_path_factory):
    """One grid search on two worker processes of its own, started by the experiment."""
    project = tmp_path_factory.mktemp("grid") / "project"
    result = experiment.grid_search(
        accuracy,
        GRID,
        direction=Direction.MAX,
        name="Grid of digits",
        description="six trials",
        optimization_key="accuracy",
        project=str(project),
        cluster=experiment.ClusterConfig(kind="local", n_workers=2),
        tags=["nightly"],
        progress=False,
    )
    return result, project


def test_trials_run_in_the_documented_order(searched):
    result, _ = searched
    combinations = [(t.params["learning_rate"], t.params["dropout"]) for t in result.trials]
    assert combinations == DOCUMENTED_ORDER
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4, 5, 6]


def test_result_unpacks_as_hopsml_returned_it(searched):
    result, project = searched
    best_dir, best_params, best_outputs = result
    assert best_params == {"learning_rate": 0.0001, "dropout": 0.45}
    assert best_outputs == {
        "accuracy": 1.0 - 0.0001 - 0.045,
        "loss": 0.0001,
        "log": f"Experiments/{result.id}/{result.best.directory}/output.log",
    }
    assert (
        Path(best_dir)
        == project / "Experiments" / result.id / "0005-learning_rate=0.0001-dropout=0.45"
    )


def test_trials_ran_in_two_processes(searched):
    result, _ = searched
    assert len({trial.worker for trial in result.trials}) == 2


def test_experiment_id_is_slug_time_and_six_hex_digits(searched):
    result, _ = searched
    assert re.fullmatch(r"grid-of-digits-\d{8}-\d{6}-[0-9a-f]{6}", result.id)


def test_directory_holds_the_documented_files(searched):
    result, project = searched
    root = project / "Experiments" / result.id
    trials = {
        f"{n:04d}-learning_rate={lr}-dropout={d}" for n, (lr, d) in enumerate(DOCUMENTED_ORDER, 1)
    }
    files = {"experiment.json", ".summary.json", "environment.txt", "program.py"}
    assert {entry.name for entry in root.iterdir() if entry.is_dir()} == trials
    assert files <= {entry.name for entry in root.iterdir() if entry.is_file()}
    for name in trials:
        # One that took half a second has a curve of its devices, too.
        inside = {entry.name for entry in (root / name).iterdir()} - {TrialFiles.SCALARS}
        assert {".hparams.json", ".outputs.json", ".metric", "output.log"} <= inside
        assert len(inside) <= 6


def test_trial_files_hold_parameters_outputs_metric_and_prints(searched):
    result, _ = searched
    directory = Path(result.best_dir)
    outputs = json.loads((directory / ".outputs.json").read_text())
    commit = outputs.pop("_commit")
    assert json.loads((directory / ".hparams.json").read_text()) == result.best_params
    assert outputs == result.outputs
    assert outputs["log"] == f"Experiments/{result.id}/{directory.name}/output.log"
    assert float((directory / ".metric").read_text()) == result.best_metric
    assert commit["attempt"] == 1
    sizes = {file["name"]: file["size"] for file in commit["files"]}
    assert sizes["output.log"] == (directory / "output.log").stat().st_size
    assert printed((directory / "output.log").read_text()) == ["training with 0.0001 and 0.45"]


def test_summary_lists_all_combinations(searched):
    result, _ = searched
    summary = json.loads((Path(result.path) / ".summary.json").read_text())
    assert [entry["parameters"] for entry in summary["combinations"]] == [
        {"learning_rate": lr, "dropout": d} for lr, d in DOCUMENTED_ORDER
    ]
    assert summary["combinations"][4]["outputs"] == result.outputs


def test_record_tells_what_ran_and_how_it_ended(searched):
    result, _ = searched
    record = json.loads((Path(result.path) / "experiment.json").read_text())
    expected = {
        "id": result.id,
        "name": "Grid of digits",
        "description": "six trials",
        "function": "grid_search",
        "experiment_type": "PARALLEL_EXPERIMENTS",
        "state": "FINISHED",
        "direction": "MAX",
        "optimization_key": "accuracy",
        "metric": result.best_metric,
        "search_space": GRID,
        "trials_succeeded": 6,
        "trials_failed": 0,
        "tags": ["nightly"],
        "flow_run_id": result.flow_run_id,
        "schema": 1,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["duration"] > 0
    assert record["end"] > record["start"]


def test_prefect_shows_one_final_task_run_a_trial_with_its_name(searched):
    result, _ = searched
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(result.flow_run_id)
    runs = task_runs(result.flow_run_id, 6)
    assert flow_run.state_type.value == "COMPLETED"
    assert "nightly" in flow_run.tags
    assert flow_run.parameters["train"].endswith("training:accuracy")
    assert flow_run.parameters["grid_dict"] == GRID
    assert flow_run.parameters["direction"] == "MAX"
    assert sorted(run["name"] for run in runs) == sorted(trial.name for trial in result.trials)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}


def test_artifacts_show_progress_and_the_trials_best_first(searched):
    result, _ = searched
    shown = artifacts(
        result.flow_run_id, lambda shown: len(json.loads(shown["grid-of-digits-trials"])) == 6
    )
    assert shown["grid-of-digits-progress"] == 100.0
    rows = json.loads(shown["grid-of-digits-trials"])
    assert [row["trial"] for row in rows] == [5, 3, 1, 6, 4, 2]


def test_result_as_a_table(searched):
    result, _ = searched
    frame = result.to_pandas()
    assert list(frame["params.dropout"]) == [dropout for _, dropout in DOCUMENTED_ORDER]
    assert frame["metric"].max() == result.best_metric
