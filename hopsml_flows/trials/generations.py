"""The generations of an evolutionary search: which have ended, and how they went. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hopsml_flows.trials.model import Trial, TrialResult

if TYPE_CHECKING:
    from hopsml_flows.search import Direction

__all__ = ["Generation", "Generations"]


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that has ended.

    Args:
        number: From 0.
        results: The results of its trials, in the order of their numbers.
        average: Mean metric of those that succeeded, or None.
        best: The best trial of the search so far, or None.
    """

    number: int
    results: tuple[TrialResult, ...]
    average: float | None
    best: TrialResult | None

    @property
    def failed(self) -> int:
        """How many of its trials failed."""
        return sum(not result.succeeded for result in self.results)


class Generations:
    """Collects results by generation.

    Args:
        direction: Which way is better.
    """

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._running: dict[int, set[int]] = {}
        self._results: dict[int, list[TrialResult]] = {}
        self._best: TrialResult | None = None

    def started(self, trial: Trial) -> None:
        """Note that a trial was started, perhaps again."""
        if trial.generation is not None:
            self._running.setdefault(trial.generation, set()).add(trial.number)

    def done(self, result: TrialResult) -> None:
        """Add the result of a trial."""
        if result.generation is not None:
            self._running[result.generation].discard(result.number)
            self._results.setdefault(result.generation, []).append(result)

    def over(self, open_generation: int | None) -> list[Generation]:
        """Return the generations that have ended since the last call, in order.

        Args:
            open_generation: The generation of the search's next proposal; None if it has none.
        """
        taken: list[Generation] = []
        for number in sorted(self._running):
            more = open_generation is not None and open_generation <= number
            if more or self._running[number]:
                break
            del self._running[number]
            taken.append(self._summed(number, self._results.pop(number)))
        return taken

    def _summed(self, number: int, results: list[TrialResult]) -> Generation:
        results.sort(key=lambda result: result.number)
        metrics = [result.metric for result in results if result.metric is not None]
        for result in results:
            if result.metric is not None and self._direction.better(
                result.metric, self._best.metric if self._best else None
            ):
                self._best = result
        average = sum(metrics) / len(metrics) if metrics else None
        return Generation(number, tuple(results), average, self._best)
