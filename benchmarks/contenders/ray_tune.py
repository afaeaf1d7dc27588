"""Ray Tune's function API, two trials at once, its default loggers on."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from contenders.noop import noop
from ray import tune
from window import Window


def new_actors(window: Window, directory: Path) -> None:
    """A new actor process for every trial: Tune's default for functions."""
    _run(window, directory, reuse_actors=False)


def reused_actors(window: Window, directory: Path) -> None:
    """Actors take one trial after another."""
    _run(window, directory, reuse_actors=True)


class _Watch(tune.Callback):
    """Notes the first and the last trial's end."""

    def __init__(self, window: Window, *, actors_end: bool) -> None:
        self._window = window
        self._actors_end = actors_end
        self._done = 0

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:  # noqa: ARG002
        self._window.first_done()
        self._done += 1
        if self._actors_end:
            self._window.note_processes()
        if self._done == self._window.trials:
            self._window.end()


def _trial(config):
    return {"metric": noop(config["x"])}


def _run(window: Window, directory: Path, *, reuse_actors: bool) -> None:
    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=str(directory / "ray"))
    try:
        tuner = tune.Tuner(
            _trial,
            param_space={"x": tune.grid_search(list(range(window.trials)))},
            tune_config=tune.TuneConfig(
                metric="metric", mode="max", max_concurrent_trials=2, reuse_actors=reuse_actors
            ),
            run_config=tune.RunConfig(
                storage_path=str(directory / "results"),
                callbacks=[_Watch(window, actors_end=not reuse_actors)],
            ),
        )
        window.begin()
        grid = tuner.fit()
    finally:
        ray.shutdown()
    if len(grid) != window.trials or grid.errors:
        raise RuntimeError(f"{len(grid)} trials, errors: {grid.errors}")
