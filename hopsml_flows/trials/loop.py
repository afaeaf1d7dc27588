"""The trial loop: event in, instructions out.

Pure: it decides which trial starts, which is tried again and when the experiment is over. It has
no clock, no files, no Prefect and no Dask; the flow feeds it events and carries out what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.search import GaveUp
from hopsml_flows.trials.generations import Generation, Generations
from hopsml_flows.trials.model import Failure, Trial, TrialResult
from hopsml_flows.trials.naming import generation_name, trial_name
from hopsml_flows.values.plain import image_key

if TYPE_CHECKING:
    from hopsml_flows.search import Direction, Optimizer, Proposal

__all__ = ["Counts", "TrialLoop"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the experiment is.

    Args:
        total: Trials there will be, or None where that is not known.
        running: At work now.
        succeeded: Finished with a metric or outputs.
        failed: Finished without.
    """

    total: int | None
    running: int
    succeeded: int
    failed: int

    @property
    def done(self) -> int:
        """Trials that are over."""
        return self.succeeded + self.failed


class TrialLoop:
    """Turns a search into trials, and results into what the search is told.

    Args:
        optimizer: The search.
        direction: Which way is better; None where nothing is optimized.
        retries: How often a trial whose worker was lost is tried again.
        own_directory: Whether each trial gets a directory of its own.
        order: Names that come first in a trial's name (the function's signature).
        began: Trials that an earlier run of the experiment began, by number: one that is run with
            the same hyperparameters has their name and directory.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        direction: Direction | None,
        retries: int,
        own_directory: bool = True,
        order: Iterable[str] = (),
        began: Mapping[int, Trial] | None = None,
    ) -> None:
        self._optimizer = optimizer
        self._direction = direction
        self._retries = retries
        self._own_directory = own_directory
        self._order = tuple(order)
        self._began = began or {}
        self._running: dict[int, Trial] = {}
        self._again: list[Trial] = []
        self._workers = 0
        self._populations: dict[int, list[dict[str, Any]]] = {}
        self._succeeded = 0
        self._failed = 0
        self._generations = None if direction is None else Generations(direction)
        self._first_failures: dict[int | None, TrialResult] = {}  # by generation
        self.best: TrialResult | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing is left to start."""
        return not self._running and not self._again and self._optimizer.finished

    @property
    def counts(self) -> Counts:
        """How far the experiment is."""
        running = min(len(self._running), self._workers)  # the rest waits for a free worker
        return Counts(self._optimizer.total, running, self._succeeded, self._failed)

    @property
    def failure(self) -> str | None:
        """Why the experiment has failed, or None: no trial succeeded."""
        if self._succeeded > 0:
            return None
        gave_up = self._optimizer.gave_up
        if gave_up is None:
            return (
                self._quoted(GaveUp(f"all {self._failed} trials failed")) if self._failed else None
            )
        return self._quoted(gave_up)

    @property
    def notice(self) -> str | None:
        """Why the search ended before its end though some trial succeeded; else None."""
        gave_up = self._optimizer.gave_up
        return self._quoted(gave_up) if gave_up is not None and self._succeeded > 0 else None

    @property
    def first_failure(self) -> TrialResult | None:
        """The failed trial of the lowest number: the same search names the same one."""
        return min(self._first_failures.values(), key=lambda r: r.number, default=None)

    @property
    def running(self) -> int:
        """Trials that were started and are not done."""
        return len(self._running)

    def population(self, generation: int) -> list[dict[str, Any]]:
        """The configurations of a generation, as they were when its first trial was made."""
        return self._populations.get(generation, [])

    def generations(self) -> list[Generation]:
        """Take the generations that are over and were not taken yet."""
        if self._generations is None:
            return []
        return self._generations.over(self._optimizer.generation)

    def start(self, workers: int, ahead: int = 0) -> list[Trial]:
        """Say which trials to submit now.

        Args:
            workers: Trials that can run at once.
            ahead: Trials to submit beyond that, so that no worker waits for the driver; none for
                a search that learns, which is asked only when a worker is free.
        """
        self._workers = workers
        limit = workers if self._optimizer.adaptive else workers + ahead
        starting: list[Trial] = []
        while self._again and len(self._running) < limit:
            starting.append(self._submit(self._again.pop(0)))
        room = limit - len(self._running)
        if room > 0:
            starting += [self._submit(trial) for trial in self._proposed(room)]
        return starting

    def done(self, result: TrialResult) -> None:
        """Take in what a trial returned, good or bad."""
        del self._running[result.number]
        if self._generations is not None:
            self._generations.done(result)
        if result.succeeded:
            self._succeeded += 1
            if self._direction is None:
                # Without a direction no trial is better than another one: a single one is the best.
                self.best = result if self._optimizer.total == 1 else None
            elif self._is_best(self._direction, result):
                self.best = result
        else:
            self._failed += 1
            first = self._first_failures.get(result.generation)
            # By number, not by time.
            if first is None or result.number < first.number:
                self._first_failures[result.generation] = result
        if result.succeeded and result.metric is not None:
            self._optimizer.tell(result.number, result.metric)
        else:
            self._optimizer.tell(result.number, failure=str(result.failure or "no metric"))

    def lost(
        self, number: int, reason: str, *, started: float = 0.0, ended: float = 0.0
    ) -> TrialResult | None:
        """Take in that a trial's worker died.

        Args:
            number: The trial's number.
            reason: What is known of the death.
            started: When the attempt began, seconds since the epoch; 0 where that is not known.
            ended: When it ended.

        Returns:
            None where the trial will be tried again; its failed result where it will not.
        """
        trial = self._running[number]
        if trial.attempt <= self._retries:
            del self._running[number]
            self._again.append(replace(trial, attempt=trial.attempt + 1))
            return None
        failure = Failure("WorkerLostError", reason)
        result = TrialResult.without_report(trial, failure, started=started, ended=ended)
        self.done(result)
        return result

    def again(self, number: int) -> None:
        """Start a trial once more that storage kept from running; that costs no attempt.

        Args:
            number: The trial's number.
        """
        self._again.append(replace(self._running.pop(number), interrupted=True))

    def _quoted(self, gave_up: GaveUp) -> str:
        """A reason, and the first failure that it means."""
        first = self._first_failures.get(gave_up.generation, self.first_failure)
        if first is None:
            return gave_up.reason
        return f"{gave_up.reason}; the first one with {first.failure}"

    def _is_best(self, direction: Direction, result: TrialResult) -> bool:
        """Whether it is the best so far; of equals the first by number, whichever ends first."""
        if result.metric is None or self.best is None or self.best.metric is None:
            return result.metric is not None
        if result.metric == self.best.metric:
            return result.number < self.best.number
        return direction.better(result.metric, self.best.metric)

    def _submit(self, trial: Trial) -> Trial:
        self._running[trial.number] = trial
        if self._generations is not None:
            self._generations.started(trial)
        return trial

    def _proposed(self, room: int) -> Iterator[Trial]:
        """New trials, one after the other, so that a generation is seen when it begins."""
        for _ in range(room):
            proposals = self._optimizer.ask(1)
            if not proposals:
                return
            (proposal,) = proposals
            if proposal.generation is not None:
                self._populations.setdefault(proposal.generation, self._optimizer.population)
            yield self._trial(proposal)

    def _trial(self, proposal: Proposal) -> Trial:
        name = trial_name(proposal.id, proposal.params, self._order)
        directory = name if self._own_directory else ""
        if proposal.generation is not None:
            directory = f"{generation_name(proposal.generation)}/{directory}"
        began = self._began.get(proposal.id)
        if began is not None and image_key(began.params) == image_key(proposal.params):
            name, directory = began.name or name, began.directory
        return Trial(
            proposal.id, name, proposal.params, directory=directory, generation=proposal.generation
        )
