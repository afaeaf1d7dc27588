"""Trials of several processes: each is a group of task runs that start and end together.

What is decided is decided in ``trials``: who gets which worker (placement), what the processes
are told of each other (variables), what happens when one of them ends (gang). Here is the I/O.
"""

from __future__ import annotations

import pickle
import time
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.cluster.seat_orders import Seating
from hopsml_flows.cluster.worker import Outcome
from hopsml_flows.errors import TooFewWorkersError, TrialFailedError, WorkerLostError
from hopsml_flows.execution.credentials import published
from hopsml_flows.execution.group import Begin, Process
from hopsml_flows.plan.group_options import GroupOptions
from hopsml_flows.trials import (
    Failure,
    Gang,
    Member,
    Order,
    Phase,
    ProcessEnd,
    Seat,
    Trial,
    TrialResult,
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
    from hopsml_flows.execution import Job

__all__ = ["GroupFuture", "GroupRuns"]

WAIT_SECONDS = 20.0
"""Longest wait for enough workers, unless told otherwise: they may just be starting."""

RETURN_SECONDS = 60.0
"""The same for another attempt: there were enough, and the one that died is being started."""

_LOOK_SECONDS = 0.1
_BEGIN_LOOK_SECONDS = 0.02
"""How often a group is looked at: in a moment it can begin, later it trains for long."""

_AGAIN_SECONDS = 0.5
_STOP_SECONDS = 15.0
"""Longest wait for the processes of a group to end; then their tasks are given up."""


class GroupFuture:
    """Handle of a distributed trial."""

    def __init__(self) -> None:
        self.task_run_id = uuid.uuid4()
        self._outcome: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        """Take in what came of the trial."""
        self._outcome = outcome

    def outcome(self) -> Outcome:
        """What came of the trial, which is over."""
        assert self._outcome is not None
        return self._outcome


@dataclass(slots=True)
class _Waiting:
    trial: Trial
    owner: Owner | None
    future: GroupFuture


@dataclass(slots=True)
class _Group:
    """An attempt of a trial whose processes have seats."""

    waiting: _Waiting
    id: str
    gang: Gang
    seats: Mapping[Member, Seat]
    begins: Mapping[str, Begin]
    futures: dict[Member, TrialFuture[Any]] = field(default_factory=dict)
    phases: dict[Member, Phase] = field(default_factory=dict)
    reports: dict[Member, ProcessEnd] = field(default_factory=dict)
    stops_until: float | None = None
    began: float = field(default_factory=time.time)

    @property
    def open_seats(self) -> dict[str, Member]:
        """Workers whose process has not ended, with it."""
        return {
            seat.address: member
            for member, seat in self.seats.items()
            if member not in self.reports
        }

    def report(self, member: Member, report: ProcessEnd) -> None:
        """Take in how a process ended; the first word counts."""
        self.reports.setdefault(member, report)
        self.phases[member] = self.reports[member].phase

    def give_up(self, member: Member) -> None:
        """Wait no longer for the task of a process; its worker hears of it, if there is one."""
        computed = self.futures[member].dask_future
        if computed is not None:
            computed.cancel(force=True)

    @property
    def begins_soon(self) -> bool:
        """Whether a process is yet to begin."""
        waits = (None, Phase.EXPECTED, Phase.ARRIVED)
        return any(self.phases.get(member) in waits for member in self.open_seats.values())


class GroupRuns:
    """Runs trials that are several processes each.

    Args:
        options: What the groups are like.
        cluster: Where they run.
        runner: What submits their task runs.
        job: What the trials share.
        shared: The same, as the workers have it.
    """

    def __init__(
        self,
        options: GroupOptions,
        cluster: OpenCluster,
        runner: TrialTaskRunner,
        job: Job,
        shared: SharedRef,
    ) -> None:
        self._options = options
        self._cluster = cluster
        self._runner = runner
        self._job = job
        self._shared = shared
        self._seating = Seating(cluster.client)
        self._waiting: deque[_Waiting] = deque()
        self._groups: dict[str, _Group] = {}
        self._short_since: float | None = None
        self._look_again = 0.0
        self._numbers: set[int] = set()

    @property
    def slots(self) -> int:
        """Groups that can run at once."""
        return max(1, self._cluster.worker_count // len(self._options.shape.members))

    def submit(self, trial: Trial, owner: Owner | None) -> GroupFuture:
        """Start a trial, as soon as there are workers for all its processes.

        Args:
            trial: The trial.
            owner: The flow run that it belongs to; None for the experiment's.
        """
        future = GroupFuture()
        self._waiting.append(_Waiting(trial, owner, future))
        self._numbers.add(trial.number)
        return future

    def next_done(self, timeout: float) -> list[GroupFuture]:
        """Wait until a trial is done; take all that are.

        Args:
            timeout: Longest wait in seconds, more or less.

        Raises:
            TooFewWorkersError: There have been too few workers for too long.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._seat_waiting()
            soon = any(group.begins_soon for group in self._groups.values())
            look = _BEGIN_LOOK_SECONDS if soon else _LOOK_SECONDS
            for ended in self._runner.next_done(look):
                self._take(ended)
            done = []
            for group in list(self._groups.values()):
                self._look_after(group)
                if len(group.reports) == len(group.seats):
                    del self._groups[group.id]
                    self._look_again = 0.0
                    group.waiting.future.settle(self._outcome(group))
                    done.append(group.waiting.future)
            if done or time.monotonic() > deadline:
                return done

    def close(self) -> None:
        """Remove what the processes shared on machines whose files this one does not remove."""
        if self._job.scratch is None and self._numbers:
            self._seating.remove(self._job.experiment_id, sorted(self._numbers))

    def _seat_waiting(self) -> None:
        """Give the next trials their seats, as far as there are any."""
        now = time.monotonic()
        while self._waiting and now >= self._look_again:
            missing = self._seated(self._waiting[0])
            if missing is None:
                self._waiting.popleft()
                self._short_since = None
                continue
            self._look_again = now + _AGAIN_SECONDS
            if self._groups:  # one of ours will end, and leave its seats
                return
            if self._short_since is None:
                self._short_since = now
            limit = self._options.wait_for_workers
            if limit is None:
                limit = WAIT_SECONDS if self._waiting[0].trial.attempt == 1 else RETURN_SECONDS
            if now - self._short_since > limit:
                raise TooFewWorkersError(f"a distributed trial needs {missing}")

    def _seated(self, waiting: _Waiting) -> str | None:
        """Start a trial if there are seats for all its processes; else say what is missing."""
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
        gang = Gang(shape, time.monotonic())
        group = _Group(waiting, identifier, gang, seats, begins)
        self._groups[identifier] = group
        for member, seat in seats.items():
            process = Process(
                group=identifier,
                member=member,
                shape=shape,
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
                # Asked of the workers that get GPUs; the others' must not be held up by it.
                resources={} if seat.gpus else dict.fromkeys(self._cluster.resources, 0.0),
            )
            group.futures[member] = future

    def _take(self, ended: TrialFuture[Any]) -> None:
        for group in self._groups.values():
            for member, future in group.futures.items():
                if future is ended:
                    group.report(member, _report(group.waiting.trial, ended.outcome()))

    def _look_after(self, group: _Group) -> None:
        """See how a group's processes do, and tell them what follows."""
        now = time.monotonic()
        # Dask would wait for a worker of that very address to come back.
        for worker in self._seating.gone(group.open_seats):
            member = group.open_seats[worker]
            reason = f"its worker {worker} died"
            with suppress(OSError):  # the scheduler is gone
                reason = self._runner.death_of(worker).reason
            group.report(member, ProcessEnd(Phase.DIED, reason=reason))
            group.give_up(member)
        if group.stops_until is not None:
            if now > group.stops_until:
                for member in group.open_seats.values():
                    group.give_up(member)
            return
        seats = group.open_seats
        for worker, phase in self._seating.phases(group.id, seats).items():
            group.phases[seats[worker]] = phase
        order = group.gang.observe(group.phases, now)
        if order is Order.STOP:
            self._seating.stop(group.id, seats)
            group.stops_until = now + _STOP_SECONDS
        elif beginners := group.gang.beginners(group.phases, now):
            begins = {w: group.begins[w] for w, m in seats.items() if m in beginners}
            self._seating.begin(group.id, begins)

    def _outcome(self, group: _Group) -> Outcome:
        """What came of a group, as the outcome of a trial."""
        verdict = group.gang.judge(group.reports)
        trial = group.waiting.trial
        if verdict.result is not None:
            return Outcome("COMPLETED", "Completed", value=verdict.result)
        if verdict.failure is None:
            lost = WorkerLostError(verdict.lost or "")
            return Outcome(
                "CRASHED",
                "Crashed",
                str(lost),
                error=lost,
                started=group.began,
                ended=time.time(),
            )
        leader = group.reports.get(self._options.shape.leader)
        said = leader.result if leader and leader.phase is Phase.FAILED else None
        result = said or TrialResult.without_report(
            trial, verdict.failure, started=group.began, ended=time.time()
        )
        result = replace(result, failure=verdict.failure)
        error = TrialFailedError(str(verdict.failure), result)
        return Outcome("FAILED", "Failed", str(error), error=error)


def _report(trial: Trial, outcome: Outcome) -> ProcessEnd:
    """How a process ended, from the end of its task run."""
    if isinstance(outcome.value, TrialResult):
        return ProcessEnd(Phase.FINISHED, outcome.value)
    error = outcome.error
    if isinstance(error, TrialFailedError):
        return ProcessEnd(Phase.FAILED, error.result)
    if isinstance(error, WorkerLostError):
        return ProcessEnd(Phase.DIED, reason=str(error))
    if error is None:
        return ProcessEnd(Phase.STOPPED, reason=outcome.message or "")
    failure = Failure(type(error).__name__, str(error))
    return ProcessEnd(Phase.FAILED, TrialResult.without_report(trial, failure))


def _lent() -> dict[str, str]:
    """Environment variables of temporary credentials."""
    lent = published()
    return dict(lent.variables) if lent is not None else {}
