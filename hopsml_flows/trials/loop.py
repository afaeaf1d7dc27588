"""The trial loop: event in, instructions out. Pure.

It decides which trial starts, which is tried again and when the experiment is over. The driver
feeds it events and does what it says. docs/explanation/state-machines.md draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import TrialStoppedError, WorkerLostError
from hopsml_flows.search import GaveUp
from hopsml_flows.trials.generations import Generation, Generations
from hopsml_flows.trials.loop_messages import (
    CloseGeneration,
    GiveUpTrial,
    KeepResult,
    LoopEvent,
    LoopInstruction,
    RetryTrial,
    SlotsFree,
    SubmitTrial,
    TrialDone,
    TrialLost,
    TrialReplayed,
    TrialReturned,
    TrialStopped,
)
from hopsml_flows.trials.model import Failure, Trial, TrialResult
from hopsml_flows.trials.naming import generation_name, trial_name
from hopsml_flows.trials.state_machine import Recorder, ignore
from hopsml_flows.values.plain import image_key

if TYPE_CHECKING:
    from hopsml_flows.search import Direction, Optimizer, Proposal

__all__ = ["Counts", "TrialLoop"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the experiment is.

    Args:
        total: Trials there will be, or None if that is not known.
        running: Trials that run now.
        succeeded: Trials that ended with a metric or outputs.
        failed: Trials that ended without.
    """

    total: int | None
    running: int
    succeeded: int
    failed: int

    @property
    def done(self) -> int:
        """Trials that have ended."""
        return self.succeeded + self.failed


class TrialLoop:
    """Turns a search into trials, and tells the search their results.

    Args:
        optimizer: The search.
        direction: Which way is better; None if nothing is optimized.
        retries: How often a trial is tried again whose worker was lost.
        own_directory: Whether each trial gets its own directory.
        order: Names that come first in a trial's name (the function's signature).
        began: Trials that an earlier run of the experiment began, by number. A trial with the same
            hyperparameters gets their name and directory.
        record: Called with each event and its instructions, for a log.
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
        record: Recorder = ignore,
    ) -> None:
        self._optimizer = optimizer
        self._direction = direction
        self._retries = retries
        self._own_directory = own_directory
        self._order = tuple(order)
        self._began = began or {}
        self._record = record
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
        """Whether no trial runs and none is left to start."""
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
        if gave_up is not None:
            return self._quoted(gave_up)
        first = self.first_failure
        if first is None:
            return None
        if self._failed == 1:
            return f"the only trial failed with {first.failure}"
        return self._quoted(GaveUp(f"all {self._failed} trials failed"))

    @property
    def notice(self) -> str | None:
        """Why the search ended before its end though some trial succeeded; else None."""
        gave_up = self._optimizer.gave_up
        return self._quoted(gave_up) if gave_up is not None and self._succeeded > 0 else None

    @property
    def first_failure(self) -> TrialResult | None:
        """The failed trial of the lowest number, so that the same search names the same one."""
        return min(self._first_failures.values(), key=lambda r: r.number, default=None)

    @property
    def running(self) -> int:
        """Trials that were started and have not ended."""
        return len(self._running)

    def population(self, generation: int) -> list[dict[str, Any]]:
        """The configurations of a generation, as they were when its first trial was proposed."""
        return self._populations.get(generation, [])

    def handle(self, event: LoopEvent) -> list[LoopInstruction]:
        """Change the state by an event; return what the driver is to do, in order.

        Args:
            event: What happened.
        """
        instructions = self._answer(event)
        # Also after new trials were asked for: a search may find only then that it has no more.
        over = self._over()
        if not isinstance(event, TrialReplayed):  # the resumed run has reported its generations
            instructions += map(CloseGeneration, over)
        self._record(event, instructions)
        return instructions

    def _answer(self, event: LoopEvent) -> list[LoopInstruction]:
        """What follows for trials."""
        match event:
            case SlotsFree(slots, ahead):
                return [SubmitTrial(trial) for trial in self._starting(slots, ahead)]
            case TrialDone(result):
                self._count(result)
                return [KeepResult(result)]
            case TrialReplayed(result):
                self._count(result)
                return []
            case TrialLost():
                return [self._retry_or_give_up(event)]
            case TrialStopped():
                failure = Failure(TrialStoppedError.__name__, event.reason)
                return [self._give_up(self._running[event.number], event, failure)]
            case TrialReturned(number):
                trial = replace(self._running.pop(number), interrupted=True)
                self._again.append(trial)
                return [RetryTrial(trial)]

    def _over(self) -> list[Generation]:
        """The generations that have ended since the last call."""
        if self._generations is None:
            return []
        return self._generations.over(self._optimizer.generation)

    def _starting(self, slots: int, ahead: int) -> list[Trial]:
        """The trials to submit now."""
        self._workers = slots
        limit = slots if self._optimizer.adaptive else slots + ahead
        starting: list[Trial] = []
        while self._again and len(self._running) < limit:
            starting.append(self._submit(self._again.pop(0)))
        room = limit - len(self._running)
        if room > 0:
            starting += [self._submit(trial) for trial in self._proposed(room)]
        return starting

    def _count(self, result: TrialResult) -> None:
        """Count a trial that has ended, and tell the search."""
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

    def _retry_or_give_up(self, lost: TrialLost) -> RetryTrial | GiveUpTrial:
        """Try a lost trial again while it has attempts left."""
        trial = self._running[lost.number]
        if trial.attempt > self._retries:
            return self._give_up(trial, lost, Failure(WorkerLostError.__name__, lost.reason))
        del self._running[trial.number]
        again = replace(trial, attempt=trial.attempt + 1)
        self._again.append(again)
        return RetryTrial(again)

    def _give_up(
        self, trial: Trial, end: TrialLost | TrialStopped, failure: Failure
    ) -> GiveUpTrial:
        """Count a trial as failed that could not report itself."""
        result = TrialResult.without_report(trial, failure, started=end.started, ended=end.ended)
        self._count(result)
        return GiveUpTrial(trial, result)

    def _quoted(self, gave_up: GaveUp) -> str:
        """A reason, with the first failure that it refers to."""
        first = self._first_failures.get(gave_up.generation, self.first_failure)
        if first is None:
            return gave_up.reason
        return f"{gave_up.reason}; the first one with {first.failure}"

    def _is_best(self, direction: Direction, result: TrialResult) -> bool:
        """Whether it is the best so far; of equals, the one of the lowest number is."""
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
        """New trials, proposed one by one, so that a generation is seen when it begins."""
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
