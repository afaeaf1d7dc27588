"""Names, logs, final states and tables of experiments, as a Prefect server has them."""

from __future__ import annotations

import json
import logging
import re
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.flow_engine import run_flow

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.prefect_internals.engine import task_inputs
from tests.servers.prefect import artifacts
from tests.waiting import eventually

from .training import accuracy, product

STORY = "hopsml.experiment"


def run_of(result):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(result.flow_run_id))


def story_of(flow_run_id):
    """Levels and messages of a flow run's story, once its end is there."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(str(flow_run_id))]))

    def read():
        with get_client(sync_client=True) as client:
            logs = [log for log in client.read_logs(wanted, limit=200) if log.name == STORY]
        assert all(log.task_run_id is None for log in logs)
        logs.sort(key=lambda log: log.timestamp)
        return [(log.level, log.message) for log in logs]

    ends = ("FINISHED after", "FAILED after", "KILLED after")
    return eventually(read, lambda lines: lines and lines[-1][1].startswith(ends))


def test_an_experiment_without_a_name_and_its_run_are_called_after_the_function(
    options, experiments
):
    first = experiment.grid_search(product, {"x": [1, 2]}, **options)
    assert re.fullmatch(r"product-\d{8}-\d{6}-[0-9a-f]{6}", first.id)
    assert experiments()[first.id]["name"] == "product"
    assert run_of(first).name == first.id
    again = experiment.grid_search(product, {"x": [1, 2]}, resume=first.id, **options)
    assert (again.id, run_of(again).name) == (first.id, f"{first.id} attempt 2")
    assert experiments()[first.id]["attempt"] == 2
    assert run_of(first).name == first.id
    shown = artifacts(again.flow_run_id, lambda shown: "FINISHED" in shown["product-summary"])
    assert set(shown) == {"product-summary", "product-trials", "product-progress"}


def test_a_name_that_a_user_gave_the_run_stays(options):
    mine = experiment.launch.with_options(flow_run_name="night of {name}")
    result = mine(lambda: 1, name="digits", **options)
    assert result.id.startswith("digits-")
    assert run_of(result).name == "night of digits"


@pytest.mark.parametrize("chosen", [None, "kappa4-sirius", "my nightly run", "phi3-finetune"])
def test_a_run_that_a_deployment_started_is_named_unless_it_has_a_name(options, chosen):
    """It comes with a name: of the server, of the run form, or of the user."""
    parameters = {"train": f"{__name__}:product", "args_dict": {"x": [1, 2]}, **options}
    with get_client(sync_client=True) as client:
        started = client.create_flow_run(experiment.launch, name=chosen, parameters=parameters)
    if chosen is None:
        assert re.fullmatch(r"[a-z]+-[a-z]+", started.name)
    result = run_flow(experiment.launch, flow_run=started, parameters=parameters)
    assert result.flow_run_id == str(started.id)
    assert result.id.startswith("product-")
    made_up = chosen in (None, "kappa4-sirius")
    assert run_of(result).name == (result.id if made_up else chosen)


def test_a_run_that_is_retried_keeps_its_name_and_the_next_one_is_another_attempt(
    options, tmp_path
):
    file = tmp_path / "failed"

    def once(x):
        if not file.exists():
            file.touch()
            raise OSError("disk full")
        return x

    search = experiment.grid_search.with_options(retries=1)
    first = search(once, {"x": [1]}, **options)
    assert (first.id.startswith("once-"), run_of(first).name) == (True, first.id)
    again = experiment.grid_search(once, {"x": [1]}, resume=first.id, **options)
    assert run_of(again).name == f"{first.id} attempt 3"


def test_the_final_state_of_a_run_is_its_result(options):
    grid = {"learning_rate": [0.1, 1 / 3], "dropout": [0.5]}
    state = experiment.grid_search(
        accuracy, grid, optimization_key="accuracy", return_state=True, **options
    )
    said = "Best accuracy 0.85 (trial 1: learning_rate=0.1, dropout=0.5); 2 trials"
    assert (state.name, state.message) == ("Completed", said)
    assert state.result().best.number == 1
    shown = run_of(state.result()).state
    assert (shown.name, shown.message) == ("Completed", said)


def test_a_run_of_which_most_trials_failed_does_not_look_as_if_all_was_well(options):
    def seldom(x):
        if x != 2:
            raise ValueError("not two")
        return x

    result = experiment.grid_search(seldom, {"x": [1, 2, 3]}, **options)
    assert result.best_metric == 2
    shown = run_of(result).state
    assert (shown.type.value, shown.name) == ("COMPLETED", "Mostly failed")
    assert shown.message == "Best metric 2 (trial 2: x=2); 3 trials, 2 failed"
    told = [entry for entry in story_of(result.flow_run_id) if entry[0] > logging.INFO]
    assert sorted(told) == [
        (logging.WARNING, f"Trial {number} failed: ValueError: not two") for number in (1, 3)
    ]


def test_a_task_that_gets_a_result_depends_on_the_run(options):
    @flow
    def pipeline():
        result = experiment.grid_search(product, {"x": [1]}, **options)
        return result.flow_run_id, [str(found.id) for found in task_inputs(result)]

    run, inputs = pipeline()
    assert inputs == [run]


def test_the_log_of_a_run_tells_its_story_and_the_terminal_does_not(options, capfd):
    bounds = {"learning_rate": [0.001, 0.5], "dropout": [0.1, 0.9]}
    result = experiment.differential_evolution(
        accuracy, bounds, generations=1, population=4, optimization_key="accuracy", seed=3,
        **{**options, "progress": True},
    )  # fmt: skip
    lines = story_of(result.flow_run_id)
    assert {level for level, _ in lines} == {logging.INFO}
    messages = [message for _, message in lines]
    assert messages[0].startswith(f"Experiment {result.id}: differential_evolution of ")
    assert messages[0].endswith("training:accuracy")
    assert messages[1:4] == [
        f"Directory: {result.path}",
        "Search space: learning_rate=float 0.001 to 0.5, dropout=float 0.1 to 0.9",
        f"8 trials, seed 3, cluster {options['cluster']}, accuracy MAX",
    ]
    better = [message for message in messages if message.startswith("Best so far: accuracy ")]
    assert better
    assert f"(trial {result.best.number}: learning_rate=" in better[-1]
    generations = [message for message in messages if message.startswith("Generation ")]
    assert [message.split(":")[0] for message in generations] == ["Generation 0", "Generation 1"]
    assert all("mean " in message and "0 of 4 trials failed" in message for message in generations)
    assert re.fullmatch(
        rf"FINISHED after \S+: Best accuracy \S+ \(trial {result.best.number}: .*\); 8 trials",
        messages[-1],
    )
    printed = "".join(capfd.readouterr())
    assert f"Finished Experiment {result.id}" in printed
    for message in (*messages[:4], better[-1], messages[-1]):
        assert message not in printed


def test_a_run_that_fails_tells_why_in_its_log(options):
    with pytest.raises(ExperimentFailedError) as caught:
        experiment.grid_search(lambda x: 1 / x, {"x": [0]}, **options)
    result = caught.value.result
    assert result.id.startswith("experiment-")
    lines = story_of(result.flow_run_id)
    assert (logging.WARNING, "Trial 1 failed: ZeroDivisionError: division by zero") in lines
    level, end = lines[-1]
    assert level == logging.ERROR
    assert "1 trial, 1 failed. " in end
    assert "ZeroDivisionError" in end


def test_the_table_of_trials_has_outputs_and_six_digits(options):
    result = experiment.grid_search(
        accuracy, {"learning_rate": [1 / 3], "dropout": [0.5]}, optimization_key="accuracy",
        name="Shown", **options,
    )  # fmt: skip
    shown = artifacts(result.flow_run_id, lambda shown: json.loads(shown["shown-trials"]))
    (row,) = json.loads(shown["shown-trials"])
    assert list(row) == [
        "trial", "learning_rate", "dropout", "accuracy", "loss", "state", "seconds", "error",
    ]  # fmt: skip
    assert (row["learning_rate"], row["accuracy"], row["loss"]) == (0.333333, 0.616667, 0.333333)
