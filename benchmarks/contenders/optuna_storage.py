"""Optuna in one process, with its trials in SQLite or in a journal file."""

from __future__ import annotations

from pathlib import Path

import optuna
from contenders.noop import noop
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from window import Window


def sqlite(window: Window, directory: Path) -> None:
    """Trials in an SQLite database."""
    _run(window, RDBStorage(f"sqlite:///{directory / 'optuna.sqlite3'}"))


def journal(window: Window, directory: Path) -> None:
    """Trials in a journal file."""
    _run(window, JournalStorage(JournalFileBackend(str(directory / "optuna.log"))))


def _objective(trial: optuna.Trial) -> float:
    return noop(trial.suggest_float("x", 0.0, 1.0))


def _run(window: Window, storage: BaseStorage) -> None:
    # A sampler that does not think: what is measured is the bookkeeping.
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(storage=storage, sampler=sampler, direction="maximize")
    window.begin()
    study.optimize(_objective, n_trials=1)
    window.first_done()
    study.optimize(_objective, n_trials=window.trials - 1)
    window.end()
    if len(study.trials) != window.trials:
        raise RuntimeError("results are missing")
