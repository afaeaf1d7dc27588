"""The trial loop: event in, instructions out. Pure.

It decides which trial starts, which is tried again and when the experiment is over. The driver
feeds it events and does what it says. docs/explanation/state-machines.md draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import (
    InvalidArgumentError,
    StuckSearchError,
    TrialStoppedError,
    WorkerLostError,
)
from hopsml_flows.search import GaveUp, GoOn, Pause, Stop
from hopsml_flows.trials.generations import Generation, Generations
from hopsml_flows.trials.judged_reports import JudgedReports
from hopsml_flows.trials.loop_messages import (
    BudgetSpent,
    CloseGeneration,
    ExtendTrial,
    GiveUpTrial,
    KeepResult,
    LoopEvent,
    LoopInstruction,
    RetryTrial,
    SlotsFree,
    StopTrial,
    SubmitTrial,
    TrialDone,
    TrialLost,
    TrialRepeated,
    TrialReplayed,
    TrialReported,
    TrialReturned,
    TrialStopped,
)
from hopsml_flows.trials.model import Failure, Promoted, Trial, TrialResult
from hopsml_flows.trials.naming import generation_name, number_of, trial_name
from hopsml_flows.trials.saved_time import SavedTime
from hopsml_flows.trials.state_machine import Recorder, ignore
from hopsml_flows.values.plain import image_key

if TYPE_CHECKING:
    from hopsml_flows.search import Direction, Optimizer, Proposal
    from hopsml_flows.trials.early_stop.base import EarlyStop

__all__ = ["Counts", "TrialLoop"]

_MOST_CUTS = 10
"""Broken connections of one trial that do not count against its retries: it may cause them."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the experiment is.

    Args:
        total: Trials there will be, or None if that is not known.
        running: Trials that run now.
        succeeded: Trials that ended with a metric or outputs.
        failed: Trials that ended without.
        stopped: Those among the succeeded that were ended early.
        saved: Seconds that they would have run on, if they were like those that were not stopped.
    """

    total: int | None
    running: int
    succeeded: int
    failed: int
    stopped: int = 0
    saved: float = 0.0

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
        rule: The rule of early stopping; None for none.
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
        rule: EarlyStop | None = None,
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
        self._cuts: Counter[int] = Counter()
        self._workers = 0
        self._populations: dict[int, list[dict[str, Any]]] = {}
        self._succeeded = 0
        self._failed = 0
        self._saved = SavedTime()
        self._closed = False
        self._gone: dict[int, Trial] = {}  # ended, and their files are gone
        self._known: set[int] = set()  # those of them that run again: the search was told
        self._reports = JudgedReports(optimizer, rule)
        self._directories: dict[int, str] = {}  # of all trials: another one may go on from each
        self._generations = None if direction is None else Generations(direction)
        self._first_failures: dict[int | None, TrialResult] = {}  # by generation
        self.best: TrialResult | None = None

    @property
    def finished(self) -> bool:
        """Whether no trial runs and none is left to start."""
        idle = not self._running and not self._again
        return idle and (self._closed or self._optimizer.finished)

    @property
    def counts(self) -> Counts:
        """How far the experiment is."""
        running = min(len(self._running), self._workers)  # the rest waits for a free worker
        total = self._optimizer.total
        saved = self._saved.seconds
        return Counts(total, running, self._succeeded, self._failed, self._saved.stopped, saved)

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
    def trials(self) -> list[Trial]:
        """The trials that were started and have not ended."""
        return list(self._running.values())

    @property
    def is_closed(self) -> bool:
        """Whether no further trial is proposed, since the budget is spent."""
        return self._closed

    def runs(self, number: int) -> bool:
        """Whether a trial was started and has not ended.

        Args:
            number: Its number.
        """
        return number in self._running

    @property
    def gone(self) -> list[int]:
        """Numbers of the trials that have ended and whose files are gone."""
        return list(self._gone)

    def reopen(self) -> None:
        """Let trials be proposed again: a resumed run has a budget of its own."""
        self._closed = False

    @property
    def running(self) -> int:
        """Trials that were started and have not ended."""
        return len(self._running)

    def population(self, generation: int) -> list[dict[str, Any]]:
        """The configurations of a generation, as they were when its first trial was proposed."""
        return self._populations.get(generation, [])

    def explained(self, result: TrialResult) -> TrialResult:
        """The result of a running trial, with what its process does not know: its promotions.

        Args:
            result: The result.
        """
        trial = self._running.get(result.number)
        if trial is None or (trial.continues is None and not trial.promotions):
            return result
        return replace(
            result,
            budget=trial.budget,
            promotions=trial.promotions,
            continues=None if trial.continues is None else number_of(_last(trial.continues)),
        )

    def handle(self, event: LoopEvent) -> list[LoopInstruction]:
        """Change the state by an event; return what the driver is to do, in order.

        Args:
            event: What happened.

        Raises:
            StuckSearchError: The optimizer is not finished, proposes nothing, and no trial runs.
            InvalidArgumentError: It continues a proposal that it has not made.
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
            case SlotsFree():
                return [SubmitTrial(trial) for trial in self._starting(event)]
            case TrialReported():
                return self._judged(event)
            case TrialDone(result):
                explained = self.explained(result)
                self._count(explained)
                return [KeepResult(explained)]
            case TrialReplayed():
                self._replay(event)
                return []
            case TrialRepeated(number):
                return [self._keep_waiting(self._gone.pop(number))]
            case TrialLost():
                return [self._retry_or_give_up(event)]
            case TrialStopped():
                failure = Failure(TrialStoppedError.__name__, event.reason)
                return [self._give_up(self._running[event.number], event, failure)]
            case TrialReturned(number):
                self._reports.forget(number)
                return [self._keep_waiting(self._running.pop(number))]
            case BudgetSpent():
                self._closed = True
                return []

    def _replay(self, event: TrialReplayed) -> None:
        """Take in how a trial ended in the resumed run."""
        told, number = event.told or event.result, event.result.number
        if not event.is_gone:
            self._count(event.result, told)
            return
        self._gone[number] = self._running.pop(number)
        self._tell(told)
        self._known.add(number)

    def _keep_waiting(self, trial: Trial) -> RetryTrial:
        """Let a trial start again that has begun before."""
        again = replace(trial, interrupted=True)
        self._again.append(again)
        return RetryTrial(again)

    def _judged(self, event: TrialReported) -> list[LoopInstruction]:
        """What follows from a trial's reports; those of an attempt that is over are too late."""
        trial = self._running.get(event.number)
        if trial is None or trial.attempt != event.attempt or event.number in self._known:
            return []
        instructions: list[LoopInstruction] = []
        for report in event.reports:
            match self._reports.add(trial.number, report):
                case Stop(why) | Pause(why):
                    instructions.append(StopTrial(trial, why))
                case GoOn(budget, why):
                    promotions = (*trial.promotions, Promoted(budget, why))
                    trial = replace(trial, budget=budget, promotions=promotions)
                    self._running[trial.number] = trial
                    instructions.append(ExtendTrial(trial, why))
        return instructions

    def _over(self) -> list[Generation]:
        """The generations that have ended since the last call."""
        if self._generations is None:
            return []
        return self._generations.over(self._optimizer.generation)

    def _starting(self, event: SlotsFree) -> list[Trial]:
        """The trials to submit now."""
        self._workers = event.slots
        if event.starts is not None:
            return list(self._started_then(event.starts))
        limit = event.slots if self._optimizer.adaptive else event.slots + event.ahead
        starting: list[Trial] = []
        while self._again and len(self._running) < limit:
            starting.append(self._submit(self._again.pop(0)))
        room = limit - len(self._running)
        if room > 0 and not self._closed:
            starting += [self._submit(trial) for trial in self._proposed(room)]
            if not self._running and not self.finished:
                raise StuckSearchError(
                    f"the optimizer {type(self._optimizer).__name__} proposes nothing and is not "
                    "finished, though no trial is running that it could wait for"
                )
        return starting

    def _started_then(self, numbers: Iterable[int]) -> Iterator[Trial]:
        """The trials of these numbers, as far as they wait or are proposed next."""
        for number in numbers:
            trial = next((again for again in self._again if again.number == number), None)
            if trial is not None:
                self._again.remove(trial)
            else:
                trial = next(self._proposed(1), None)
            if trial is None or trial.number != number:
                return
            yield self._submit(trial)

    def _tell(self, result: TrialResult) -> None:
        """Tell the rule and the search how a trial has ended, once."""
        if result.number in self._known:
            return
        self._reports.end(result)
        if result.succeeded and result.metric is not None:
            self._optimizer.tell(result.number, result.metric)
        else:
            self._optimizer.tell(result.number, failure=str(result.failure or "no metric"))

    def _count(self, result: TrialResult, told: TrialResult | None = None) -> None:
        """Count a trial that has ended, and tell the search its result, or another one."""
        del self._running[result.number]
        if self._generations is not None:
            self._generations.done(result)
        if result.succeeded:
            self._succeeded += 1
            self._saved.add(result)
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
        self._tell(told or result)

    def _retry_or_give_up(self, lost: TrialLost) -> RetryTrial | GiveUpTrial:
        """Try a lost trial again while it has attempts left."""
        trial = self._running[lost.number]
        cuts = self._cuts[trial.number]
        is_free = lost.cut_off and cuts < _MOST_CUTS
        tries_again = is_free or trial.attempt - cuts <= self._retries
        self._cuts[trial.number] += is_free
        if not (tries_again if lost.again is None else lost.again):
            return self._give_up(trial, lost, Failure(WorkerLostError.__name__, lost.reason))
        del self._running[trial.number]
        self._reports.forget(trial.number)
        again = replace(trial, attempt=trial.attempt + 1)
        self._again.append(again)
        return RetryTrial(again)

    def _give_up(
        self, trial: Trial, end: TrialLost | TrialStopped, failure: Failure
    ) -> GiveUpTrial:
        """Count a trial as failed that could not report itself."""
        result = self.explained(
            TrialResult.without_report(trial, failure, started=end.started, ended=end.ended)
        )
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
        if trial.number not in self._known:
            self._reports.begin(trial.number, trial.params)
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
        budget = {} if proposal.budget is None else {"budget": proposal.budget}
        order = (*budget, *(name for name in self._order if name not in budget))
        name = trial_name(proposal.id, {**budget, **proposal.params}, order)
        directory = name if self._own_directory else ""
        if proposal.generation is not None:
            directory = f"{generation_name(proposal.generation)}/{directory}"
        began = self._began.get(proposal.id)
        if began is not None and image_key(began.params) == image_key(proposal.params):
            name, directory = began.name or name, began.directory
        continued = self._continued(proposal)
        self._directories[proposal.id] = directory
        return Trial(
            proposal.id,
            name,
            proposal.params,
            directory=directory,
            generation=proposal.generation,
            budget=proposal.budget,
            continues=continued,
            promotions=_promotions(proposal),
            repeat=proposal.repeat,
        )

    def _continued(self, proposal: Proposal) -> str | None:
        """The directory of the trial that a proposal continues, or None."""
        number = proposal.continues
        if number is not None and number not in self._directories:
            raise InvalidArgumentError("continues", number, "must be an earlier proposal's id")
        return None if number is None else self._directories[number]


def _promotions(proposal: Proposal) -> tuple[Promoted, ...]:
    """Why a proposal has its budget, if the search promoted an earlier one."""
    if proposal.why is None or proposal.budget is None:
        return ()
    return (Promoted(proposal.budget, proposal.why),)


def _last(directory: str) -> str:
    """The last part of a directory: the trial's name."""
    return directory.rpartition("/")[2]
