"""The same experiments in the stores of other pages.

The peers make their own tables. The rows are then written at once, because a trial at a time takes
the peers many minutes. That the rows are right is seen in what the peers answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hopsml_flows.search import Direction, Float, Int
from hopsml_flows.storage import TrialFiles
from hopsml_flows.tracking import end_events, experiment_events, start_events
from hopsml_flows.trials import Trial
from pages.written import SPACE, identifier, results_of

__all__ = ["QUIET", "write_event_files", "write_mlflow", "write_optuna"]

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""Environment variables with which no peer asks for anything outside of this machine."""

Experiments = Mapping[int, int]
"""Number of each experiment to its number of trials."""


def write_optuna(programs: Path, database: Path, experiments: Experiments) -> None:
    """Write experiments as studies; the identifier of each study is its place, from 1.

    Args:
        programs: Directory of the peers' programs.
        database: The SQLite database to make.
        experiments: What to write.
    """
    made_first = ("--study-name", "made first", "--direction", "maximize")
    _run(programs / "optuna", "create-study", *made_first, "--storage", f"sqlite:///{database}")
    trial_id = 0
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM study_directions")
        connection.execute("DELETE FROM studies")
        for study, (number, trials) in enumerate(experiments.items(), 1):
            results = dict(enumerate(results_of(number, trials), trial_id + 1))
            trial_id += trials
            _insert(connection, "studies (study_id, study_name)", [(study, identifier(number))])
            _insert(
                connection,
                "study_directions (direction, study_id, objective)",
                [("MAXIMIZE", study, 0)],
            )
            _insert(
                connection,
                "trials (trial_id, number, study_id, state, datetime_start, datetime_complete)",
                (
                    (
                        key,
                        each.number - 1,
                        study,
                        "COMPLETE",
                        _time(each.started),
                        _time(each.ended),
                    )
                    for key, each in results.items()
                ),
            )
            _insert(
                connection,
                "trial_params (trial_id, param_name, param_value, distribution_json)",
                (
                    (key, name, _optuna_value(name, value), _DISTRIBUTIONS[name])
                    for key, each in results.items()
                    for name, value in each.params.items()
                ),
            )
            _insert(
                connection,
                "trial_values (trial_id, objective, value, value_type)",
                ((key, 0, each.metric, "FINITE") for key, each in results.items()),
            )
            _insert(
                connection,
                "trial_user_attributes (trial_id, key, value_json)",
                ((key, "loss", json.dumps(each.outputs["loss"])) for key, each in results.items()),
            )


def write_mlflow(programs: Path, database: Path, experiments: Experiments) -> None:
    """Write experiments and runs; the identifier of each experiment is its place, from 1.

    Args:
        programs: Directory of the peers' programs.
        database: The SQLite database to make.
        experiments: What to write.
    """
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    made_first = ("--experiment-name", "made first", "--artifact-location", "file:///nothing")
    _run(programs / "mlflow", "experiments", "create", *made_first, environment=store)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM experiments WHERE name = 'made first'")
        for key, (number, trials) in enumerate(experiments.items(), 1):
            results = {uuid.uuid4().hex: each for each in results_of(number, trials)}
            created = _stamp(next(iter(results.values())).started)
            _insert(
                connection,
                "experiments (experiment_id, name, artifact_location, lifecycle_stage,"
                " creation_time, last_update_time)",
                [(key, identifier(number), "file:///nothing", "active", created, created)],
            )
            _insert(
                connection,
                "runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,"
                " status, start_time, end_time, source_version, lifecycle_stage, artifact_uri,"
                " experiment_id)",
                (
                    (
                        *(run, each.name, "LOCAL", "", "", "ada", "FINISHED"),
                        *(_stamp(each.started), _stamp(each.ended), "", "active"),
                        *(f"file:///nothing/{run}", key),
                    )
                    for run, each in results.items()
                ),
            )
            _insert(
                connection,
                "tags (key, value, run_uuid)",
                (("mlflow.runName", each.name, run) for run, each in results.items()),
            )
            _insert(
                connection,
                "params (key, value, run_uuid)",
                (
                    (name, str(value), run)
                    for run, each in results.items()
                    for name, value in each.params.items()
                ),
            )
            for table in ("metrics", "latest_metrics"):
                _insert(
                    connection,
                    f"{table} (key, value, timestamp, step, is_nan, run_uuid)",
                    (
                        (name, value, _stamp(each.ended), 0, 0, run)
                        for run, each in results.items()
                        for name, value in each.outputs.items()
                    ),
                )


def write_event_files(directory: Path, number: int, trials: int) -> None:
    """Write an experiment's event files, as its trials and its driver write them.

    Args:
        directory: The experiment's directory.
        number: The experiment's number.
        trials: Its trials.
    """
    directory.mkdir(parents=True)
    domains = {
        "learning_rate": Float(1e-5, 0.1, log=True),
        "dropout": Float(0.1, 0.6),
        "layers": Int(1, 6),
        "optimizer": ["adam", "sgd"],
    }
    described = experiment_events(domains, "accuracy", Direction.MAX)
    (directory / TrialFiles.EVENTS_START).write_bytes(described)
    for each in results_of(number, trials):
        of_trial = directory / each.name
        of_trial.mkdir()
        trial = Trial(each.number, each.name, each.params)
        (of_trial / TrialFiles.EVENTS_START).write_bytes(start_events(trial, ["optimizer"]))
        (of_trial / TrialFiles.EVENTS_END).write_bytes(end_events(each))


def _distribution(name: str) -> str:
    known: Mapping[str, Any] = SPACE[name]
    if known["kind"] == "categorical":
        kind, attributes = "CategoricalDistribution", {"choices": known["values"]}
    else:
        is_int = known["kind"] == "int"
        kind = "IntDistribution" if is_int else "FloatDistribution"
        attributes = {
            "log": known.get("log", False),
            "step": 1 if is_int else None,
            "low": known["low"],
            "high": known["high"],
        }
    return json.dumps({"name": kind, "attributes": attributes})


_DISTRIBUTIONS = {name: _distribution(name) for name in SPACE}


def _optuna_value(name: str, value: Any) -> float:
    """Optuna keeps a category's place."""
    known: Mapping[str, Any] = SPACE[name]
    return float(known["values"].index(value) if known["kind"] == "categorical" else value)


def _insert(connection: sqlite3.Connection, into: str, rows: Iterable[tuple[Any, ...]]) -> None:
    places = ", ".join("?" for _ in into.split(","))
    connection.executemany(f"INSERT INTO {into} VALUES ({places})", rows)


def _time(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _stamp(seconds: float | None) -> int:
    return int((seconds or 0) * 1000)


def _run(program: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        [program, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUIET, **(environment or {})},
    )
