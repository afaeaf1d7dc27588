"""Ray Tune and Optuna on the same sleeping trials, each with its own median rule, eight at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from asynchronous import training
from asynchronous.own import WORKERS, spans

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def ray_tune(directory: Path, kind: str, trials: int, seed: int) -> dict[str, Any]:
    """Ray Tune's function API with actors that are used again.

    Args:
        directory: Where it writes.
        kind: "asynchronous", or "median" for its median stopping rule.
        trials: Number of trials.
        seed: Seed of the configurations.
    """
    import ray
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler, MedianStoppingRule

    def trainable(config: dict[str, float]) -> None:
        import time

        began = time.time()

        def report(value: float, step: int) -> None:
            tune.report(
                {"metric": value, "step": step + 1, "began": began, "reported": time.time()}
            )

        training.train(config["x"], report)

    scheduler = FIFOScheduler()
    if kind == "median":
        scheduler = MedianStoppingRule(
            time_attr="step", grace_period=1, min_samples_required=10, metric="metric", mode="max"
        )
    began = time.perf_counter()
    ray.init(num_cpus=WORKERS, include_dashboard=False, _temp_dir=str(directory / "ray"))
    try:
        grid = tune.Tuner(
            trainable,
            param_space={"x": tune.uniform(0.0, 1.0)},
            tune_config=tune.TuneConfig(
                num_samples=trials,
                max_concurrent_trials=WORKERS,
                reuse_actors=True,
                scheduler=scheduler,
                search_alg=tune.search.BasicVariantGenerator(random_state=seed),
                **({} if kind == "median" else {"metric": "metric", "mode": "max"}),
            ),
            run_config=tune.RunConfig(storage_path=str(directory / "results")),
        ).fit()
    finally:
        ray.shutdown()
    if len(grid) != trials or grid.errors:
        raise RuntimeError(f"{len(grid)} trials, errors: {grid.errors}")
    metrics = [result.metrics for result in grid]
    return {
        "call_s": time.perf_counter() - began,
        **spans([(found["began"], found["reported"]) for found in metrics]),
        "stopped": sum(found["step"] < training.REPORTS for found in metrics),
        "best": max(found["metric"] for found in metrics),
        "failed": 0,
    }


def optuna_threads(directory: Path, kind: str, trials: int, seed: int) -> dict[str, Any]:
    """Optuna's ``n_jobs``: threads of one process, with SQLite.

    Args:
        directory: Where it writes.
        kind: "asynchronous", or "median" for its median pruner.
        trials: Number of trials.
        seed: Seed of the configurations.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        def report(value: float, step: int) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        return training.train(trial.suggest_float("x", 0.0, 1.0), report)

    pruner = optuna.pruners.NopPruner()
    if kind == "median":
        pruner = optuna.pruners.MedianPruner(n_startup_trials=10)
    began = time.perf_counter()
    study = optuna.create_study(
        storage=f"sqlite:///{directory / 'optuna.sqlite3'}",
        sampler=optuna.samplers.RandomSampler(seed=seed),
        pruner=pruner,
        direction="maximize",
    )
    study.optimize(objective, n_trials=trials, n_jobs=WORKERS)
    done = study.trials
    times = [(t.datetime_start.timestamp(), t.datetime_complete.timestamp()) for t in done]
    return {
        "call_s": time.perf_counter() - began,
        **spans(times),
        "stopped": sum(t.state is optuna.trial.TrialState.PRUNED for t in done),
        "best": study.best_value,
        "failed": 0,
    }
