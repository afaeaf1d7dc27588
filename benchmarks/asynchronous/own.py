"""This project's searches on sleeping trials, and what reports and stops cost.

Functions that run in trials import what they need inside, since workers do not import this module.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from asynchronous import training
from hopsml_flows import experiment
from hopsml_flows.search import BaseSearch, SearchSpace, Stop, Why

SPACE = {"x": [0.0, 1.0]}
WORKERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where the experiments of one measurement run.

    Args:
        project: The project.
        cluster: Address of a running scheduler.
    """

    project: str
    cluster: str

    def optimize(self, train: Any, **given: Any) -> Any:
        """Run ``experiment.optimize`` there."""
        return experiment.optimize(
            train, SPACE, project=self.project, cluster=self.cluster, progress=False, **given
        )


class Waves(BaseSearch):
    """Random search in waves: a wave begins when the one before has ended, as in Spark's stages."""

    def __init__(self, space: SearchSpace, *, num_trials: int, seed: int | None = None) -> None:
        super().__init__(direction="max")
        self._space = space
        self._seed = seed
        self._num_trials = num_trials

    @property
    def total(self) -> int:
        return self._num_trials

    @property
    def adaptive(self) -> bool:
        return True

    def _ready(self) -> bool:
        return self._asked % WORKERS != 0 or not self._pending

    def _propose(self, number: int) -> dict[str, Any]:
        import random

        return {"x": random.Random(f"{self._seed} {number}").random()}


class Drawn(Waves):
    """The same configurations without waves."""

    @property
    def adaptive(self) -> bool:
        return False

    def _ready(self) -> bool:
        return True


def reports_curve(x: float, reporter: Any) -> float:
    """The sleeping training."""
    return training.train(x, lambda value, step: reporter.broadcast(value, step=step))


def search(place: Place, kind: str, trials: int, seed: int) -> dict[str, Any]:
    """One search of sleeping trials.

    Args:
        place: Where it runs.
        kind: "waves", "asynchronous", or "median" (asynchronous, with the median rule).
        trials: Number of trials.
        seed: Seed of the configurations.
    """
    optimizer = Waves if kind == "waves" else Drawn
    began = time.perf_counter()
    result = place.optimize(
        reports_curve,
        optimizer=optimizer,
        num_trials=trials,
        early_stop="median" if kind == "median" else "none",
        seed=seed,
        name=kind,
    )
    return {
        "call_s": time.perf_counter() - began,
        **spans([(trial.started, trial.ended) for trial in result.trials]),
        "stopped": sum(trial.why_stopped is not None for trial in result.trials),
        "best": result.best_metric,
        "failed": len(result.failed),
    }


def spans(trials: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Wall time and utilisation of trials by their starts and ends, in seconds."""
    wall = max(ended for _, ended in trials) - min(started for started, _ in trials)
    durations = [ended - started for started, ended in sorted(trials)]
    free = [0.0] * WORKERS
    for seconds in durations:
        first = min(range(WORKERS), key=free.__getitem__)
        free[first] += seconds
    return {
        "wall_s": wall,
        "utilisation": sum(durations) / (WORKERS * wall),
        "possible": sum(durations) / (WORKERS * max(free)),
    }


@dataclass(slots=True)
class AtStep:
    """Stops each trial at a step."""

    step: int = 20

    def judge(self, trial: Any, curve: Any) -> Stop | None:  # noqa: ARG002
        if curve.steps[-1] < self.step:
            return None
        value = curve.values[-1]
        return Stop(Why("step", value, "its {value} is that of the last step", curve.steps[-1]))

    def end(self, trial: Any, curve: Any) -> None:
        pass


def latencies(place: Place, trials: int) -> list[float]:
    """Milliseconds from a report that brings the stop to the exception in the function."""

    def train(x: float, reporter: Any) -> dict[str, float]:
        import time

        from hopsml_flows.errors import EarlyStopError

        at = 0.0
        step = 0
        try:
            while True:
                if step == 20:
                    at = time.perf_counter()
                reporter.broadcast(x, step=step)
                step += 1
                time.sleep(0.005 if step > 20 else 0.05)
        except EarlyStopError:
            return {"metric": x, "ms": 1000 * (time.perf_counter() - at)}

    result = place.optimize(
        train, optimizer="random", early_stop=AtStep, num_trials=trials, seed=1, name="latency"
    )
    return [trial.outputs["ms"] for trial in result.trials]


def report_cost(place: Place) -> dict[str, Any]:
    """Microseconds that a report takes of the training function, in a trial that runs alone.

    Back to back, and after pauses of 20 ms, in which other processes take the caches.
    """

    def train(x: float, reporter: Any) -> dict[str, float]:
        import statistics
        import time

        def median(pause: float) -> float:
            spent = []
            for _ in range(300):
                began = time.perf_counter()
                reporter.broadcast(x)
                spent.append(time.perf_counter() - began)
                time.sleep(pause)
            return 1e6 * statistics.median(spent)

        return {"metric": x, "back_to_back": median(0), "paused": median(0.02)}

    result = place.optimize(train, optimizer="random", num_trials=1, seed=1, name="report")
    outputs = result.trials[0].outputs
    return {"back_to_back_us": outputs["back_to_back"], "paused_us": outputs["paused"]}


@dataclass(slots=True)
class Flood:
    """Eight trials that report often.

    Args:
        rate: Reports per second and trial; 0 for none.
        seconds: How long each trial runs.
    """

    rate: int
    seconds: float
    found: dict[str, Any] = field(default_factory=dict)

    def run(self, place: Place) -> dict[str, Any]:
        """Run it; the share of a core that the driver took while trials ran, and lost reports."""
        rate, seconds = self.rate, self.seconds

        def train(x: float, reporter: Any) -> dict[str, float]:
            import time

            spent, made = 0.0, 0
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                if rate:
                    began = time.perf_counter()
                    reporter.broadcast(x, step=made)
                    spent += time.perf_counter() - began
                    made += 1
                time.sleep(1 / (rate or 50))
            return {"metric": x, "reports": made, "us": 1e6 * spent / max(1, made)}

        driver = psutil.Process()
        before = driver.cpu_times()
        result = place.optimize(
            train, optimizer="random", num_trials=WORKERS, seed=1, name=f"flood-{rate}"
        )
        after = driver.cpu_times()
        used = after.user + after.system - before.user - before.system
        made = sum(trial.outputs["reports"] for trial in result.trials)
        return {
            "driver_s": used,
            "made": made,
            "lost": made - _written(result) if rate else 0,
            "in_journal": _in_journal(result),
            "us_per_report": statistics.median(t.outputs["us"] for t in result.trials),
        }


def _written(result: Any) -> int:
    """How many reports lie in the trials' event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    count = 0
    for trial in result.trials:
        directory = str(Path(result.path, trial.directory))
        events = EventAccumulator(directory, size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        tag, tags = "outputs/metric", events.Tags()
        found = events.Scalars(tag) if tag in tags["scalars"] else events.Tensors(tag)
        count += len({event.step for event in found})
    return count


def _in_journal(result: Any) -> int:
    lines = map(json.loads, Path(result.path, "journal.jsonl").read_text().splitlines())
    return sum(len(line["reports"]) for line in lines if line["event"] == "report")


def replay_seconds(place: Place, trials: int) -> dict[str, Any]:
    """Seconds that ``hopsml replay`` takes for a search of trials that report twice and end."""

    def train(x: float, reporter: Any) -> float:
        reporter.broadcast(x / 2)
        reporter.broadcast(x)
        return x

    result = place.optimize(
        train, optimizer="evolution", early_stop="median", num_trials=trials, seed=1, name="replay"
    )
    command = str(Path(sys.executable).parent / "hopsml")
    began = time.perf_counter()
    done = subprocess.run(
        [command, "replay", result.id, "--project", place.project],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "seconds": time.perf_counter() - began,
        "status": done.returncode,
        "said": done.stdout.strip().splitlines()[-1:] or done.stderr.strip().splitlines()[-1:],
    }
