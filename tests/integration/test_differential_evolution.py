from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError, HopsmlWarning, InvalidArgumentError
from hopsml_flows.experiment import Direction
from hopsml_flows.search import DifferentialEvolution, Float, SearchSpace
from hopsml_flows.text import number_text
from tests import events
from tests.logs import without_log
from tests.servers.homes import used_home
from tests.servers.prefect import Client, artifacts, task_runs
from tests.waiting import eventually

BOUNDS = {"rate": Float(1e-4, 1.0, log=True), "units": [2, 9], "act": ["relu", "tanh", "elu"]}


def score(rate, units, act):
    return {"accuracy": -((units - 5) ** 2) / 50 - abs(rate - 0.01) - (act != "relu") * 0.1}


def directories(result):
    return sorted(
        path.relative_to(result.path).as_posix()
        for path in Path(result.path).glob("generation.*/*")
        if path.is_dir()
    )


def subflows(api, flow_run_id):
    """Generation subflow runs of an experiment's flow run, by number, once all have ended.

    An experiment waits a limited time for them; a server that is slow ends them later.
    """

    def read():
        with Client(api) as client:
            return client.found(
                "flow_runs", {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
            )

    runs = eventually(
        read, lambda runs: all(StateType(run["state_type"]) in TERMINAL_STATES for run in runs)
    )
    return sorted(runs, key=lambda run: run["parameters"]["number"])


@pytest.fixture
def evolution(options):
    return {
        "direction": Direction.MAX,
        "generations": 2,
        "population": 5,
        "optimization_key": "accuracy",
        "seed": 7,
        **options,
    }


def test_each_generation_is_a_subflow_run_with_its_trials_as_task_runs(
    evolution, prefect_server, capfd
):
    result = experiment.differential_evolution(
        score, BOUNDS, name="evolved", **{**evolution, "progress": True}
    )
    path, params, outputs = result
    assert without_log(outputs) == score(**params)
    assert len(result.trials) == 15
    assert path == f"{result.path}/{result.best.directory}"
    assert {name.split("/")[0] for name in directories(result)} == {
        "generation.0",
        "generation.1",
        "generation.2",
    }
    assert json.loads((Path(path) / ".hparams.json").read_text()) == params

    runs = subflows(prefect_server, result.flow_run_id)
    assert [run["name"] for run in runs] == [f"{result.id}-generation-{n}" for n in range(3)]
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    best = -1e9
    for number, run in enumerate(runs):
        trials = [trial for trial in result.trials if trial.generation == number]
        assert run["parameters"]["experiment"] == result.id
        assert run["parameters"]["population"] == [trial.params for trial in trials]
        tasks = task_runs(run["id"], len(trials))
        assert {task["name"] for task in tasks} == {trial.name for trial in trials}
        assert {task["state_type"] for task in tasks} == {"COMPLETED"}
        metrics = [trial.metric for trial in trials]
        best = max(best, *metrics)
        average = sum(metrics) / len(metrics)
        assert (
            run["state"]["message"] == f"best {number_text(best)}, average {number_text(average)}"
        )
    printed = capfd.readouterr().out
    lines = re.findall(
        r"^Generation (\d) \| average accuracy \S+ \| best accuracy (\S+) \|",
        printed,
        re.MULTILINE,
    )
    assert [line[0] for line in lines] == ["0", "1", "2"]
    assert float(lines[-1][1]) == pytest.approx(best, rel=1e-5)


def test_pictures_of_the_search_lie_in_its_directory_and_are_shown_by_prefect(
    evolution, prefect_server
):
    result = experiment.differential_evolution(score, BOUNDS, name="pictured", **evolution)
    for name in ("progress", "population", "parallel"):
        png = (Path(result.path) / f"experiment-{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
    shown = artifacts(result.flow_run_id, lambda shown: shown["pictured-pictures"])
    assert shown["pictured-pictures"].count("](data:image/png;base64,") == 3
    with Client(prefect_server) as client:
        latest = client.get("/artifacts/pictured-pictures/latest").raise_for_status().json()
    assert latest["type"] == "markdown"


def test_the_same_seed_gives_the_same_search_whatever_the_cluster(evolution, prefect_server):
    shared = experiment.differential_evolution(score, BOUNDS, **evolution)
    alone = experiment.differential_evolution(
        score, BOUNDS, **{**evolution, "cluster": experiment.ClusterConfig("local", n_workers=1)}
    )
    assert [t.params for t in shared.trials] == [t.params for t in alone.trials]
    assert [t.metric for t in shared.trials] == [t.metric for t in alone.trials]
    search = DifferentialEvolution(SearchSpace(BOUNDS), generations=2, population=5, seed=7)
    while not search.finished:
        for proposal in search.ask():
            search.tell(proposal.id, score(**proposal.params)["accuracy"])
    assert search.best.value == shared.best_metric


def test_minimising_a_loss_in_immediate_mode_keeps_generations(evolution, prefect_server):
    def loss(rate, units, act):
        time.sleep(0.05 if units % 2 else 0.3)
        return {"accuracy": -score(rate, units, act)["accuracy"]}

    # Nested functions reach workers by value, and bring what they refer to.
    result = experiment.differential_evolution(
        loss, BOUNDS, **{**evolution, "direction": "min", "updating": "immediate"}
    )
    assert result.best_metric == min(trial.metric for trial in result.trials)
    assert [trial.generation for trial in result.trials] == [n // 5 for n in range(15)]
    runs = subflows(prefect_server, result.flow_run_id)
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 3
    for run in runs:
        assert len(task_runs(run["id"], 5)) == 5


def test_failing_trials_lose_and_a_search_without_any_success_has_failed(
    evolution, prefect_server, experiments
):
    def half(rate, units, act):
        if units < 5:
            raise MemoryError("too small")
        return score(rate, units, act)

    result = experiment.differential_evolution(half, BOUNDS, **evolution)
    assert result.failed
    assert len(result.trials) == 15
    assert result.best_params["units"] >= 5

    def never(rate, units, act):
        raise ValueError("no data")

    with pytest.raises(
        ExperimentFailedError, match=r"all 10 trials of generations 0 to 1 failed.*no data"
    ) as caught:
        experiment.differential_evolution(never, BOUNDS, max_failed_generations=2, **evolution)
    failed = caught.value.result
    assert len(failed.trials) == 10
    record = experiments()[failed.id]
    assert record["state"] == "FAILED"
    assert "generations 0 to 1 failed" in record["error"]
    runs = subflows(prefect_server, failed.flow_run_id)
    assert [run["state_type"] for run in runs] == ["FAILED"] * 2


def test_generations_that_fail_are_survived_and_too_many_end_the_search_with_its_result(
    evolution, prefect_server, experiments
):
    def when(*barren):
        def train(rate, units, act):
            import os

            from hopsml_flows import tensorboard

            place = os.path.basename(os.path.dirname(tensorboard.logdir().rstrip("/")))
            if place in barren:
                raise MemoryError(f"no memory in {place}")
            return score(rate, units, act)

        return train

    settings = {**evolution, "generations": 3}
    result = experiment.differential_evolution(
        when("generation.0", "generation.2"), BOUNDS, **settings
    )
    assert len(result.trials) == 20
    assert result.state.value == "FINISHED"
    assert result.best.generation in (1, 3)
    runs = subflows(prefect_server, result.flow_run_id)
    assert [run["state_type"] for run in runs] == ["FAILED", "COMPLETED", "FAILED", "COMPLETED"]

    reason = "all 10 trials of generations 1 to 2 failed; the first one with MemoryError: no memory"
    with pytest.warns(HopsmlWarning, match=f"{reason} in generation.1"):
        result = experiment.differential_evolution(
            when("generation.1", "generation.2", "generation.3"),
            BOUNDS,
            max_failed_generations=2,
            **settings,
        )
    assert len(result.trials) == 15
    assert result.state.value == "FINISHED"
    assert result.best.generation == 0
    record = experiments()[result.id]
    assert (record["state"], record["error"]) == ("FINISHED", None)
    assert record["notice"].startswith(reason)


SCRIPT = """
    import os, sys, time
    from hopsml_flows import experiment
    from hopsml_flows.search import Float

    def score(rate, units, act):
        with open("@calls", "a") as calls:
            calls.write(f"{rate!r} {units} {act}\\n")
        time.sleep(0.2)
        until = time.monotonic() + 5  # the last ones give the test time to kill the search
        with open("@calls") as calls:
            late = len(calls.readlines()) > 16
        while late and not os.path.exists("@calls-go") and time.monotonic() < until:
            time.sleep(0.05)
        return {"accuracy": -((units - 5) ** 2) / 50 - abs(rate - 0.01) - (act != "relu") * 0.1}

    if __name__ == "__main__":
        resume = sys.argv[1] if len(sys.argv) > 1 else None
        bounds = {
            "rate": Float(1e-4, 1.0, log=True), "units": [2, 9], "act": ["relu", "tanh", "elu"]
        }
        experiment.differential_evolution(
            score, bounds, "max", generations=3, population=5, optimization_key="accuracy",
            name="killed", project="project", seed=7, resume=resume, cluster="local",
        )
"""


def population_of(experiment_directory):
    """The search's parents at the end, from what lies on storage."""
    search = DifferentialEvolution(SearchSpace(BOUNDS), generations=3, population=5, seed=7)
    metrics = {}
    for outputs in Path(experiment_directory).glob("generation.*/*/.outputs.json"):
        params = json.loads((outputs.parent / ".hparams.json").read_text())
        metrics[json.dumps(params)] = json.loads(outputs.read_text())["accuracy"]
    while not search.finished:
        for proposal in search.ask():
            search.tell(proposal.id, metrics.pop(json.dumps(proposal.params)))
    assert metrics == {}
    return search.parents


@pytest.mark.slow
@pytest.mark.parametrize("kill_after", [2, 12])
def test_a_killed_search_resumed_runs_no_committed_trial_again_and_ends_with_the_same_population(
    tmp_path, kill_after
):
    script, calls = tmp_path / "script.py", tmp_path / "calls"
    script.write_text(textwrap.dedent(SCRIPT).replace("@calls", str(calls)))
    env = {**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect"))}

    def command(*arguments):
        return [sys.executable, str(script), *arguments]

    def outputs():
        return list(tmp_path.glob("project/Experiments/*/generation.*/*/.outputs.json"))

    with (tmp_path / "printed").open("w") as printed:
        first = subprocess.Popen(
            command(), cwd=tmp_path, env=env, stdout=printed, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 120
        while len(outputs()) < kill_after and first.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL, (tmp_path / "printed").read_text()
    (identifier,) = os.listdir(tmp_path / "project" / "Experiments")
    wait_until_no_trial_runs(calls)
    committed = {path: path.stat().st_mtime_ns for path in outputs()}
    assert kill_after <= len(committed) < 20

    calls.with_name("calls-go").touch()
    again = subprocess.run(
        command(identifier), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=180
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert {path: path.stat().st_mtime_ns for path in committed} == committed
    root = tmp_path / "project" / "Experiments" / identifier
    assert len(outputs()) == 20
    record = json.loads((root / "experiment.json").read_text())
    assert (record["state"], record["trials_succeeded"]) == ("FINISHED", 20)
    assert len(json.loads((root / ".summary.json").read_text())["combinations"]) == 20

    def value(params):
        return score(**params)["accuracy"]

    undisturbed = DifferentialEvolution(SearchSpace(BOUNDS), generations=3, population=5, seed=7)
    while not undisturbed.finished:
        for proposal in undisturbed.ask():
            undisturbed.tell(proposal.id, value(proposal.params))
    assert population_of(root) == undisturbed.parents


def wait_until_no_trial_runs(calls):
    """Workers of a driver that was killed notice it, and may be in a trial when they do."""
    deadline = time.monotonic() + 60
    size = -1
    while (now := calls.stat().st_size) != size:
        assert time.monotonic() < deadline
        size = now
        time.sleep(6)  # longer than a trial takes


def test_a_finished_search_can_be_continued_with_more_generations(evolution, prefect_server):
    short = experiment.differential_evolution(
        score, BOUNDS, **{**evolution, "strategy": "rand1bin"}
    )
    longer = experiment.differential_evolution(
        score,
        BOUNDS,
        resume=short.id,
        **{**evolution, "strategy": "rand1bin", "generations": 3, "seed": None},
    )
    assert longer.id == short.id
    assert [t.params for t in longer.trials[:15]] == [t.params for t in short.trials]
    assert len(longer.trials) == 20
    (run,) = subflows(prefect_server, longer.flow_run_id)
    assert run["name"] == f"{short.id}-generation-3 attempt 2"
    assert UUID(run["id"])


def test_a_budget_cannot_be_lowered_when_an_experiment_is_resumed(evolution, experiments):
    first = experiment.differential_evolution(score, BOUNDS, **evolution)
    before = experiments()[first.id]
    with pytest.raises(InvalidArgumentError, match=r"^resume: .*has trial 15 already.*end at 10"):
        experiment.differential_evolution(
            score, BOUNDS, resume=first.id, **{**evolution, "generations": 1}
        )
    assert experiments()[first.id] == before


def test_a_worker_that_dies_crashes_a_task_run_of_its_generation(
    evolution, prefect_server, tmp_path
):
    died = tmp_path / "died"

    def train(rate, units, act):
        with suppress(FileExistsError):
            died.touch(exist_ok=False)  # one of the two that begin together
            os.kill(os.getpid(), signal.SIGKILL)
        return score(rate, units, act)

    result = experiment.differential_evolution(
        train,
        BOUNDS,
        **{**evolution, "cluster": experiment.ClusterConfig("local", n_workers=2)},
    )
    assert result.failed == ()
    runs = subflows(prefect_server, result.flow_run_id)
    states = [
        sorted(task["state_type"] for task in task_runs(run["id"], count))
        for run, count in zip(runs, (6, 5, 5), strict=True)
    ]
    assert states == [["COMPLETED"] * 5 + ["CRASHED"], ["COMPLETED"] * 5, ["COMPLETED"] * 5]


def test_resuming_what_is_finished_runs_nothing(evolution):
    first = experiment.differential_evolution(score, BOUNDS, **evolution)
    again = experiment.differential_evolution(score, BOUNDS, resume=first.id, **evolution)
    assert [t.ended for t in again.trials] == [t.ended for t in first.trials]
    assert again.best == first.best


def test_failed_trials_are_run_again_when_an_experiment_is_resumed(options, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()

    def train(units):
        if units == 2 and broken.exists():
            raise OSError("disk full")
        return units

    grid = {"units": [1, 2, 3]}
    first = experiment.grid_search(train, grid, **options)
    assert [t.number for t in first.failed] == [2]
    broken.unlink()
    again = experiment.grid_search(train, grid, resume=first.id, **options)
    assert again.failed == ()
    assert [t.metric for t in again.trials] == [1, 2, 3]
    assert events.status(Path(again.path) / again.trials[1].directory) == "SUCCESS"
    assert [t.ended for t in again.trials][::2] == [t.ended for t in first.trials][::2]


def test_another_experiment_cannot_be_resumed(evolution, options):
    first = experiment.differential_evolution(score, BOUNDS, **evolution)
    with pytest.raises(InvalidArgumentError, match=r"^resume: .* because its search space is"):
        experiment.differential_evolution(
            score, {**BOUNDS, "units": [2, 8]}, resume=first.id, **evolution
        )
    with pytest.raises(InvalidArgumentError, match=r"^resume: .* because its verb is"):
        experiment.random_search(
            score, BOUNDS, optimization_key="accuracy", resume=first.id, **options
        )
    with pytest.raises(
        InvalidArgumentError, match=r"^seed: .*must be the seed of the experiment to resume, 7"
    ):
        experiment.differential_evolution(
            score, BOUNDS, resume=first.id, **{**evolution, "seed": 8}
        )
