"""A project of many experiments, written as drivers write them, without running anything."""

from __future__ import annotations

import json
import math
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.summary import combination
from hopsml_flows.trials import State, TrialResult, trial_name

__all__ = ["BEGIN", "SPACE", "identifier", "results_of", "write_experiment", "write_project"]

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = {
    "learning_rate": {"kind": "float", "low": 1e-5, "high": 0.1, "log": True},
    "dropout": {"kind": "float", "low": 0.1, "high": 0.6},
    "layers": {"kind": "int", "low": 1, "high": 6},
    "optimizer": {"kind": "categorical", "values": ["adam", "sgd"]},
}


def identifier(number: int) -> str:
    """The identifier of an experiment of the project."""
    stamp = (BEGIN + timedelta(minutes=number)).strftime("%Y%m%d-%H%M%S")
    return f"search-{number % 40}-{stamp}-{number:06x}"


def write_project(
    project: Project, experiments: int, trials: int, seconds: float = math.inf
) -> int:
    """Write experiments with so many trials each; returns how many were begun in time.

    Args:
        project: The project.
        experiments: Number of experiments.
        trials: Trials of each.
        seconds: When to begin no more of them.
    """
    ends = time.perf_counter() + seconds

    def write(number: int) -> bool:
        if time.perf_counter() > ends:
            return False
        write_experiment(project, number, trials)
        return True

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(write, range(experiments)))


def write_experiment(project: Project, number: int, trials: int) -> str:
    """Write an experiment that is over; returns its identifier.

    Args:
        project: The project.
        number: Its number, which says what it found.
        trials: Its trials.
    """
    name = identifier(number)
    paths = ExperimentPaths(name)
    results = results_of(number, trials)
    best = max(results, key=lambda result: result.metric or 0.0)
    start = BEGIN + timedelta(minutes=number)
    record = ExperimentRecord(
        id=name,
        name=f"search-{number % 40}",
        project=project.name,
        function="random_search",
        experiment_type="PARALLEL_EXPERIMENTS",
        train="digits:train",
        state=State.FINISHED,
        direction="MAX",
        optimization_key="accuracy",
        search_space=SPACE,
        options={"seed": number, "samples": trials},
        user=("ada", "grace", "alan")[number % 3],
        start=start.isoformat(timespec="milliseconds"),
        end=(start + timedelta(minutes=3)).isoformat(timespec="milliseconds"),
        duration=180.0,
        metric=best.metric,
        best_trial=best.name,
        trials_total=trials,
        trials_succeeded=trials,
        tags=("wide",) if number % 5 == 0 else (),
    )
    lines = ",\n".join(json.dumps(combination(result)) for result in results)
    project.make_directory(paths.root)
    project.replace(paths.summary, f'{{"combinations": [\n{lines}\n]}}\n')
    project.replace(paths.record, record.to_json())
    return name


def results_of(number: int, trials: int) -> list[TrialResult]:
    """What the trials of an experiment found; each time the same.

    Args:
        number: The experiment's number.
        trials: Its trials.
    """
    return [_result(number, each) for each in range(1, trials + 1)]


def _result(experiment: int, number: int) -> TrialResult:
    chance = random.Random(f"{experiment} {number}")
    params = {
        "learning_rate": 10 ** chance.uniform(-5, -1),
        "dropout": round(chance.uniform(0.1, 0.6), 3),
        "layers": chance.randint(1, 6),
        "optimizer": chance.choice(["adam", "sgd"]),
    }
    metric = 0.97 - 0.04 * (math.log10(params["learning_rate"]) + 3) ** 2 + chance.gauss(0, 0.01)
    name = trial_name(number, params)
    began = BEGIN.timestamp() + number
    outputs = {"accuracy": metric, "loss": 1 - metric}
    return TrialResult(
        number, name, params, State.FINISHED, metric, outputs, name, 1, began, began + 10
    )
