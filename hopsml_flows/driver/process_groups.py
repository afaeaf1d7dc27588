"""Trials of several processes: each is a group of task runs that start and end together.

``trials.group`` decides: which trial gets seats when (seat_queue), which member gets which worker
(placement), what members know of each other (variables), when they begin and end (gang). This
module does the I/O.
"""

from __future__ import annotations

import pickle
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.cluster.seat_orders import Seating
from hopsml_flows.cluster.worker import Outcome
from hopsml_flows.driver.machine_log import recorder
from hopsml_flows.driver.recent_value import RecentValue
from hopsml_flows.errors import (
    TooFewWorkersError,
    TrialFailedError,
    TrialStoppedError,
    WorkerLostError,
)
from hopsml_flows.execution.credentials import published
from hopsml_flows.execution.group import Begin, Process
from hopsml_flows.plan.group_options import GroupOptions
from hopsml_flows.trials import (
    AbandonMembers,
    BeginMembers,
    ClockTicked,
    EarlyStopAsked,
    EndGroup,
    Failure,
    Gang,
    GangEvent,
    GroupEnded,
    Member,
    MemberEnded,
    MemberMoved,
    Phase,
    ProcessEnd,
    ReportShortage,
    Seat,
    SeatLost,
    SeatQueue,
    SeatsMissing,
    SeatsTaken,
    SeatTrial,
    StopMembers,
    StopRequested,
    Trial,
    TrialQueued,
    TrialReported,
    TrialResult,
    TrialWithdrawn,
    Verdict,
    placed,
    ports_needed,
    variables,
)
from hopsml_tasks import process as process_task

if TYPE_CHECKING:
    from hopsml_flows.cluster.futures import TrialFuture
    from hopsml_flows.cluster.open_cluster import OpenCluster
    from hopsml_flows.cluster.runner import Owner, TrialTaskRunner
    from hopsml_flows.cluster.worker import SharedRef
    from hopsml_flows.driver.report_relay import ReportRelay
    from hopsml_flows.driver.trial_runs import Submission
    from hopsml_flows.execution import Job
    from hopsml_flows.execution.report_link import Instruction

__all__ = ["GroupFuture", "GroupRuns"]

_LOOK_SECONDS = 0.1
_BEGIN_LOOK_SECONDS = 0.02
"""Time between two looks at a group: it may begin in a moment; later it trains for long."""


class GroupFuture:
    """A submitted distributed trial."""

    def __init__(self) -> None:
        self.task_run_id = uuid.uuid4()
        self._outcome: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        """Set what came of the trial."""
        self._outcome = outcome

    def outcome(self) -> Outcome:
        """What came of the trial, which has ended."""
        assert self._outcome is not None
        return self._outcome


@dataclass(slots=True)
class _Waiting:
    trial: Trial
    owner: Owner | None
    future: GroupFuture


@dataclass(slots=True)
class _Group:
    """An attempt of a trial whose members have seats."""

    waiting: _Waiting
    id: str
    gang: Gang
    seats: Mapping[Member, Seat]
    begins: Mapping[str, Begin]
    futures: dict[Member, TrialFuture[Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    @property
    def open_seats(self) -> dict[str, Member]:
        """Members that have not ended, by their worker's address."""
        return {self.seats[member].address: member for member in self.gang.open_members}

    def workers(self, members: Iterable[Member]) -> list[str]:
        """Addresses of the workers of members."""
        return [self.seats[member].address for member in members]


class GroupRuns:
    """Runs trials that are several processes each.

    Args:
        options: The options of the groups.
        verb: The verb that runs them, for errors.
        cluster: Where they run.
        runner: Submits their task runs.
        job: What the trials share.
        shared: The same, as workers have it.
        relay: Takes reports and passes instructions on; None if the driver wants no reports.
    """

    def __init__(
        self,
        options: GroupOptions,
        verb: str,
        cluster: OpenCluster,
        runner: TrialTaskRunner,
        job: Job,
        shared: SharedRef,
        relay: ReportRelay | None = None,
    ) -> None:
        self._options = options
        self._verb = verb
        self._cluster = cluster
        self._runner = runner
        self._job = job
        self._shared = shared
        self._relay = relay
        self._seating = Seating(cluster.client)
        self._queue = SeatQueue(options.wait_for_workers, recorder("seat queue"))
        self._waiting: dict[int, _Waiting] = {}
        self._groups: dict[str, _Group] = {}
        self._done: list[GroupFuture] = []
        self._numbers: set[int] = set()
        self._workers = RecentValue(lambda: cluster.worker_count)
        self._next_look = 0.0

    @property
    def slots(self) -> int:
        """Groups that can run at once."""
        return max(1, self._workers.get() // len(self._options.shape.members))

    def submit(self, trial: Trial, owner: Owner | None) -> GroupFuture:
        """Start a trial as soon as there are workers for all its members.

        Args:
            trial: The trial.
            owner: The flow run that it belongs to; None for the experiment's.
        """
        future = GroupFuture()
        self._waiting[trial.number] = _Waiting(trial, owner, future)
        self._numbers.add(trial.number)
        self._queue.handle(TrialQueued(trial.number, trial.attempt))
        return future

    def next_done(self, seconds: float) -> list[GroupFuture]:
        """Wait until a trial has ended; return all that have and were not returned before.

        Args:
            seconds: Longest wait, more or less.

        Raises:
            TooFewWorkersError: There have been too few workers for too long.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._seat_waiting()
            soon = any(group.gang.begins_soon for group in self._groups.values())
            look = _BEGIN_LOOK_SECONDS if soon else _LOOK_SECONDS
            ended = self._runner.next_done(look)
            for future in ended:
                self._end_member(future)
            # Reports end the wait, too, and are no reason to ask all workers.
            if ended or time.monotonic() >= self._next_look:
                for group in list(self._groups.values()):
                    self._look_after(group)
                self._next_look = time.monotonic() + look
            if self._done:
                self._workers.forget()
            told = self._relay is not None and self._relay.has_some
            if self._done or told or time.monotonic() > deadline:
                done, self._done = self._done, []
                return done

    def stop(self, trial: Trial) -> None:
        """End a running or queued trial: the workers end the processes of all its members.

        Args:
            trial: The trial.
        """
        error = TrialStoppedError()
        waiting = self._waiting.pop(trial.number, None)
        if waiting is not None:
            self._queue.handle(TrialWithdrawn(trial.number))
            waiting.future.settle(_stopped(error))
            self._done.append(waiting.future)
            return
        for group in self._groups.values():
            if group.waiting.trial.number == trial.number:
                self._tell(group, StopRequested(str(error), time.monotonic()))

    def reported(self) -> list[TrialReported]:
        """Take what the leaders of running trials have reported since the last call."""
        return [] if self._relay is None else self._relay.take()

    def instruct(self, instruction: Instruction) -> None:
        """Tell the leader of a running trial something.

        Args:
            instruction: What to tell it.
        """
        if self._relay is not None:
            self._relay.instruct(instruction)
        if instruction.stop is not None:
            for group in self._groups.values():
                if group.waiting.trial.number == instruction.number:
                    self._tell(group, EarlyStopAsked())

    def confirm(self, submission: Submission, result: TrialResult) -> None:
        """Do nothing: the task runs are of processes, of which one did crash."""

    def close(self) -> None:
        """Remove what members shared on machines where the driver does not remove files.

        Members that still run keep theirs: a leader that returned now would take it for removed by
        the training function.
        """
        if self._relay is not None:
            self._relay.close()
        over = self._numbers - {group.waiting.trial.number for group in self._groups.values()}
        if self._job.scratch is None and over:
            self._seating.remove(self._job.experiment_id, sorted(over))

    def _seat_waiting(self) -> None:
        """Give the queued trials their seats, as far as there are any."""
        now = time.monotonic()
        instructions = self._queue.handle(ClockTicked(now))
        while instructions:
            (instruction,) = instructions
            match instruction:
                case SeatTrial(number):
                    missing = self._seat(self._waiting[number])
                    if missing is None:
                        del self._waiting[number]
                    event = SeatsTaken() if missing is None else SeatsMissing(missing, now)
                    instructions = self._queue.handle(event)
                case ReportShortage(missing):
                    raise TooFewWorkersError(f"a distributed trial needs {missing}")

    def _seat(self, waiting: _Waiting) -> str | None:
        """Start a trial if there are seats for all its members; else return what is missing."""
        shape = self._options.shape
        seats = placed(
            shape,
            self._seating.workers(),
            use_gpus=self._options.use_gpus,
            shared=self._options.several,
        )
        if isinstance(seats, str):
            return seats
        group = uuid.uuid4().hex
        wanted = {seat.address: ports_needed(shape, m) for m, seat in seats.items()}
        ports = self._seating.reserve(group, wanted)
        if ports is None:
            return f"{len(seats)} free workers ({shape}), and others took some of them"
        self._start(waiting, group, seats, {m: ports[s.address] for m, s in seats.items()})
        return None

    def _start(
        self,
        waiting: _Waiting,
        identifier: str,
        seats: Mapping[Member, Seat],
        ports: Mapping[Member, tuple[int, ...]],
    ) -> None:
        shape = self._options.shape
        hosts = {member: seat.host for member, seat in seats.items()}
        begins = {
            seat.address: Begin(variables(shape, member, hosts, ports), seat.gpus)
            for member, seat in seats.items()
        }
        gang = Gang(shape, record=recorder(f"gang {waiting.trial.name} {identifier}"))
        group = _Group(waiting, identifier, gang, seats, begins)
        self._groups[identifier] = group
        self._next_look = 0.0
        for member, seat in seats.items():
            process = Process(
                group=identifier,
                member=member,
                shape=shape,
                verb=self._verb,
                several_hosts=len(set(hosts.values())) > 1,
                environment={**_lent(), **self._options.environment},
            )
            name = f"{waiting.trial.name}/{member}" if self._options.several else str(member)
            packed = pickle.dumps((waiting.trial, process))
            future = self._runner.submit(
                process_task,
                {"job": self._shared, "name": name, "packed": packed},
                name=name,
                owner=waiting.owner,
                worker=seat.address,
                # Members without GPUs must not wait for the resource that stands for one.
                resources={} if seat.gpus else dict.fromkeys(self._cluster.resources, 0.0),
            )
            group.futures[member] = future

    def _end_member(self, ended: TrialFuture[Any]) -> None:
        """Tell the gang of a task run that has ended."""
        for group in self._groups.values():
            for member, future in group.futures.items():
                if future is ended:
                    end = _process_end(group.waiting.trial, ended.outcome())
                    self._tell(group, MemberEnded(member, end))

    def _look_after(self, group: _Group) -> None:
        """Tell the gang how its members are, and the time."""
        seats = group.open_seats
        for worker in self._seating.gone(seats):
            reason = f"its worker {worker} died"
            with suppress(OSError):  # the scheduler is gone
                reason = self._runner.death_of(worker).reason
            self._tell(group, SeatLost(seats[worker], reason))
        if not group.gang.is_stopping:
            seats = group.open_seats
            for worker, phase in self._seating.phases(group.id, seats).items():
                self._tell(group, MemberMoved(seats[worker], phase))
        self._tell(group, ClockTicked(time.monotonic()))

    def _tell(self, group: _Group, event: GangEvent) -> None:
        """Tell a gang an event and do what it says."""
        for instruction in group.gang.handle(event):
            match instruction:
                case BeginMembers(members):
                    begins = {w: group.begins[w] for w in group.workers(members)}
                    self._seating.begin(group.id, begins)
                case StopMembers(members):
                    self._seating.stop(group.id, group.workers(members))
                case AbandonMembers(members):
                    for member in members:
                        computed = group.futures[member].dask_future
                        if computed is not None:
                            computed.cancel(force=True)
                case EndGroup(verdict):
                    del self._groups[group.id]
                    if self._relay is not None:
                        self._relay.forget(group.waiting.trial)
                    self._queue.handle(GroupEnded())
                    group.waiting.future.settle(_outcome(group, verdict))
                    self._done.append(group.waiting.future)


def _outcome(group: _Group, verdict: Verdict) -> Outcome:
    """What came of a group, as the outcome of a trial."""
    trial, now = group.waiting.trial, time.time()
    if verdict.result is not None:
        return Outcome("COMPLETED", "Completed", value=verdict.result)
    if verdict.stopped is not None:
        return replace(_stopped(TrialStoppedError(verdict.stopped)), started=group.began, ended=now)
    if verdict.failure is None:
        lost = WorkerLostError(verdict.lost or "")
        return Outcome(
            "CRASHED",
            "Crashed",
            str(lost),
            error=lost,
            started=group.began,
            ended=now,
            cut_off=verdict.cut_off,
        )
    result = verdict.reported or TrialResult.without_report(
        trial, verdict.failure, started=group.began, ended=now
    )
    error = TrialFailedError(str(verdict.failure), replace(result, failure=verdict.failure))
    return Outcome("FAILED", "Failed", str(error), error=error)


def _stopped(error: TrialStoppedError) -> Outcome:
    """The outcome of a trial that the driver stopped."""
    return Outcome("CANCELLED", "Cancelled", str(error), error=error)


def _process_end(trial: Trial, outcome: Outcome) -> ProcessEnd:
    """How a member ended, from the outcome of its task run."""
    if isinstance(outcome.value, TrialResult):
        return ProcessEnd(Phase.FINISHED, outcome.value)
    error = outcome.error
    if isinstance(error, TrialFailedError):
        return ProcessEnd(Phase.FAILED, error.result)
    if isinstance(error, WorkerLostError):
        return ProcessEnd(Phase.DIED, reason=str(error), cut_off=outcome.cut_off)
    if error is None:
        return ProcessEnd(Phase.STOPPED, reason=outcome.message or "")
    failure = Failure(type(error).__name__, str(error))
    return ProcessEnd(Phase.FAILED, TrialResult.without_report(trial, failure))


def _lent() -> dict[str, str]:
    """Environment variables of temporary credentials."""
    lent = published()
    return dict(lent.variables) if lent is not None else {}
