"""A Prefect task runner that submits task runs to a Dask cluster, in a few milliseconds each.

It knows nothing of trials and experiments: any flow may use it as its ``task_runner``.
"""

from __future__ import annotations

import hashlib
import itertools
import queue
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import cloudpickle
import distributed
from dask.base import get_annotations
from distributed.scheduler import KilledWorker
from prefect.client.schemas.objects import RunInput, StateType
from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

from hopsml_flows.cluster.begin_marks import MarkFiles, clear_beginnings, has_begun
from hopsml_flows.cluster.config import ClusterConfig
from hopsml_flows.cluster.deaths import Death, why_died
from hopsml_flows.cluster.futures import TrialFuture
from hopsml_flows.cluster.losses import Losses
from hopsml_flows.cluster.open_cluster import OpenCluster, open_cluster
from hopsml_flows.cluster.orphans import end_orphans
from hopsml_flows.cluster.scheduler_client import raise_if_gone
from hopsml_flows.cluster.short_states import reports_all_states
from hopsml_flows.cluster.state_book import FinalState, StateBook
from hopsml_flows.cluster.worker import Call, Outcome, Share, SharedRef, flush_worker, perform
from hopsml_flows.cluster.worker_calls import on_all_workers
from hopsml_flows.errors import ResourceUnavailableError, WorkerLostError
from hopsml_flows.prefect_internals.contexts import serialized_context
from hopsml_flows.prefect_internals.engine import mapped, task_inputs

__all__ = ["Owner", "TrialTaskRunner"]

R = TypeVar("R")

FLUSH_SECONDS = 30.0
"""Longest wait at the end for workers to send their events to the Prefect server."""

RESOURCE_SECONDS = 10.0
"""Longest wait for a worker that has a resource, as workers may still be starting."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The flow run that a task run belongs to.

    Args:
        context: Key of its Prefect context on the workers.
        flow_run_id: Its identifier for the server; None if there is no flow run.
    """

    context: str
    flow_run_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class _Outstanding:
    """A submitted task run whose outcome is not known yet."""

    future: TrialFuture[Any]
    task: Task[Any, Any]
    owner: Owner
    inputs: Mapping[str, set[Any]]

    def ended(self, outcome: Outcome) -> FinalState:
        """How it ended, for the server."""
        return FinalState(
            self.future.name,
            outcome.type,
            outcome.name,
            outcome.message,
            self.owner.flow_run_id,
            outcome.started,
            outcome.ended,
            self.inputs,
        )


@dataclass(frozen=True, slots=True)
class _Loss:
    """A task run that Dask reported lost with its worker.

    Args:
        future: The task run.
        again: Arguments of :meth:`TrialTaskRunner._start` that submit it again; None if it may run
            on that worker only.
        worker: Address of the worker.
    """

    future: TrialFuture[Any]
    again: tuple[tuple[Any, ...], str, dict[str, float]] | None
    worker: str


_PLAIN = (SharedRef, str, int, float, bool, bytes, type(None))
"""Types of parameters that contain no future."""

_NONE: set[Any] = set()

_MOST_LOSSES = 10
"""Workers that may die while a task run waits on them. With one more, it is lost too."""

_CLEAR_AT_ONCE = 200
"""Marks of ended task runs that are removed from a scheduler together, or stay as files."""

_SEND_ATTEMPTS = 10


class TrialTaskRunner(TaskRunner[TrialFuture[Any]]):
    """Runs Prefect tasks on Dask workers, one per worker thread.

    Prefect's own task engine runs on the worker. The flow run's context and each task's code are
    sent once per worker, not once per task run, under explicit keys.

    A task run whose worker dies ends Crashed with a :class:`WorkerLostError`. Task runs that had
    not begun on that worker run on another one. Resources of ``dask.annotate(resources=…)`` around
    a submission are checked.

    Args:
        cluster: What :meth:`ClusterConfig.parse` takes, or an open cluster, which stays open.
            A cluster of the first kind is opened at the first submission.
        inherit_tags: Whether task runs get the flow run's tags. Prefect asks the server about
            concurrency limits once per tag of each task run.
        console_logs: Whether Prefect's log lines about task runs appear on the workers' consoles
            as well as on the Prefect server.
        server_keeps_all: Says at the end whether the Prefect server keeps all that it was sent.
            Then the runner does not wait until the server has stored it, unless a worker was lost.
            By default the runner waits up to 5 s, since a server that gets more than it stores may
            drop events.
        all_states: Whether task runs that end within a second tell the Prefect server that they
            were Pending and Running, too. None leaves it to ``HOPSML_SHORT_TRIAL_STATES``, and
            means no if that is not set.

    Raises:
        InvalidArgumentError: The variable is neither "final" nor "all".
    """

    def __init__(
        self,
        cluster: str | ClusterConfig | OpenCluster = "auto",
        *,
        inherit_tags: bool = True,
        console_logs: bool = True,
        server_keeps_all: Callable[[], bool] | None = None,
        all_states: bool | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = cluster if isinstance(cluster, OpenCluster) else ClusterConfig.parse(cluster)
        self._inherit_tags = inherit_tags
        self._console_logs = console_logs
        self._server_keeps_all = server_keeps_all
        self._all_states = reports_all_states() if all_states is None else all_states
        self._stack = ExitStack()
        self._cluster: OpenCluster | None = None
        self._marks: MarkFiles | None = None
        self._takes_together = False
        self._owner: Owner | None = None
        self._shared: set[str] = set()
        self._tasks: dict[int, tuple[Task[Any, Any], str]] = {}
        self._numbers = itertools.count()
        self._outstanding: dict[uuid.UUID, _Outstanding] = {}
        self._done: queue.SimpleQueue[TrialFuture[Any] | None] = queue.SimpleQueue()
        self._losses: Losses[_Loss] = Losses(self._judge)
        self._begun: list[uuid.UUID] = []
        self._checked_resources: set[tuple[tuple[str, float], ...]] = set()
        self._book = StateBook(self.logger.info)
        self._seen_workers: set[str] = set()

    def duplicate(self) -> TrialTaskRunner:
        """A new runner with the same settings, which shares a cluster that was given open."""
        return type(self)(
            self._given,
            inherit_tags=self._inherit_tags,
            console_logs=self._console_logs,
            server_keeps_all=self._server_keeps_all,
            all_states=self._all_states,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrialTaskRunner):
            return NotImplemented
        return self._settings() == other._settings()

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        # A flow is sent to workers with its runner; a copy there opens nothing unless it is used.
        given, *rest = self._settings()
        return {"settings": (given if isinstance(given, ClusterConfig) else "auto", *rest)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        given, inherit_tags, console_logs, server_keeps_all, all_states = state["settings"]
        self.__init__(  # type: ignore[misc]
            given,
            inherit_tags=inherit_tags,
            console_logs=console_logs,
            server_keeps_all=server_keeps_all,
            all_states=all_states,
        )

    @property
    def cluster(self) -> OpenCluster:
        """The cluster. The first use opens it."""
        if self._cluster is None:
            if isinstance(self._given, OpenCluster):
                self._cluster = self._given
            else:
                self._cluster = self._stack.enter_context(open_cluster(self._given))
            if self._cluster.mark is not None:  # its workers are on this machine
                marks = tempfile.TemporaryDirectory(
                    prefix="hopsml-begun-", ignore_cleanup_errors=True
                )
                self._marks = MarkFiles(self._stack.enter_context(marks))
            # It remembers the current context.
            self._book = StateBook(self.logger.info, with_tags=self._inherit_tags)
            self._seen_workers = set()
        return self._cluster

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self._cluster is not None:
                self._close(interrupted=exc_info[0] is not None)
        finally:
            self._stack.close()
            self._cluster = self._marks = None
            super().__exit__(*exc_info)

    def share(self, name: str, value: Any) -> SharedRef:
        """Send an object to every worker once.

        Args:
            name: Makes its key readable; keys are unique anyway.
            value: Anything that cloudpickle can pickle.

        Returns:
            A reference to pass as a task's parameter.
        """
        return SharedRef(self._send(name, cloudpickle.dumps(value)))

    def submit(
        self,
        task: Task[Any, R],
        parameters: dict[str, Any],
        wait_for: Iterable[Any] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
        *,
        name: str | None = None,
        resources: Mapping[str, float] | None = None,
        owner: Owner | None = None,
        worker: str | None = None,
    ) -> TrialFuture[R]:
        """Submit a task run.

        Args:
            task: The Prefect task.
            parameters: Its parameters by name; they may include futures of this runner and
                references from :meth:`share`.
            wait_for: Futures that it waits for.
            dependencies: Further task inputs, found by the caller.
            name: The task run's name in states that only the driver can report; the default is
                the task's name.
            resources: Dask resources it needs, besides those of ``dask.annotate``.
            owner: The flow run it belongs to, from :meth:`owner`; the default is the one that was
                current at the first submission without an owner.
            worker: Address of the only worker it may run on. If that worker dies before the task
                run begins, the task run is lost.

        Returns:
            Its future.

        Raises:
            RuntimeError: The runner's ``with`` block was not entered.
            ResourceUnavailableError: No worker has such resources within 10 s.
        """
        if not self._started:
            raise RuntimeError("The task runner must be started before submitting work.")
        needed = {
            **self.cluster.resources,
            **(get_annotations().get("resources") or {}),
            **(resources or {}),
        }
        self._check_resources(needed)
        task_run_id = uuid.uuid4()
        waited = list(wait_for) if wait_for else None
        inputs = _inputs(parameters, waited, dependencies) or None
        owner = owner or self._first_owner()
        marks = self._marks.directory if self._marks else None
        call = Call(owner.context, self._task(task), task_run_id, inputs, marks)
        number = next(self._numbers)
        explain = partial(self._explain, task_run_id)
        stored = partial(self._stored, task_run_id)
        future = TrialFuture[R](task_run_id, name or task.name, number, explain, stored)
        known = {**dict.fromkeys(parameters, _NONE), **(inputs or {})}
        self._outstanding[task_run_id] = _Outstanding(future, task, owner, known)
        arguments = (call, _dask_ready(parameters), _dask_ready(waited))
        key = f"{task.name}-{task_run_id}"
        self._start(future, arguments, key, needed, worker)
        return future

    def next_done(self, timeout: float | None = None) -> list[TrialFuture[Any]]:
        """Wait until a submitted task run is done, and fetch the outcomes of all that are.

        Outcomes are fetched together. Each future is returned once.

        Args:
            timeout: Longest wait in seconds; None waits forever.

        Returns:
            The futures in the order in which they were done; empty if none is done in time.

        Raises:
            ConnectionError: The scheduler is gone for good: nothing will be done any more.
        """
        self._takes_together = True
        try:
            taken = [self._done.get(timeout=timeout)]
        except queue.Empty:
            raise_if_gone(self.cluster.client)
            return []
        while True:
            try:
                taken.append(self._done.get_nowait())
            except queue.Empty:
                break
        ready = [future for future in taken if future is not None]
        for future in ready:
            future.settle_stored()
        computed = [(f, f.dask_future) for f in ready if f.dask_future is not None]
        if len(computed) > 1:
            outcomes = self.cluster.client.gather([d for _, d in computed], errors="skip")
            if len(outcomes) == len(computed):
                for (future, _), outcome in zip(computed, outcomes, strict=True):
                    future.settle(future.explain(outcome))
        for future in ready:
            self._note(future, future.outcome())
        return ready

    def wake(self) -> None:
        """Let :meth:`next_done` return at once, also if no task run is done; from any thread."""
        self._done.put(None)

    def stop(self, future: TrialFuture[Any], error: Exception) -> None:
        """Cancel a submitted task run, whether it has begun or not.

        It ends Cancelled at once, and :meth:`next_done` returns it. A worker that runs it notices
        later that the driver no longer waits. A task run that is done keeps its outcome.

        Args:
            future: The task run.
            error: The reason, which becomes the outcome's error.
        """
        if not future.claim_end():
            return
        computed = future.dask_future
        if computed is not None:
            with suppress(OSError):  # the scheduler is gone
                computed.cancel(force=True)
        cancelled = StateType.CANCELLED.value
        outcome = Outcome(cancelled, "Cancelled", str(error), error=error, reported=False)
        self._end(future, outcome)

    def complete(self, task_run_id: uuid.UUID, started: float) -> None:
        """Tell the Prefect server that a task run whose worker died had done its work before.

        Args:
            task_run_id: The task run, which ended Crashed.
            started: When it began, in seconds since the epoch.
        """
        self._book.complete(task_run_id, started)

    def _start(
        self,
        future: TrialFuture[Any],
        arguments: tuple[Any, ...],
        key: str,
        resources: dict[str, float],
        worker: str | None,
    ) -> None:
        """Submit a task run to Dask. Called again if its worker dies before it begins."""
        computed = self.cluster.client.submit(
            perform,
            *arguments,
            key=key,
            pure=False,
            # Workers start the task run with the lowest number first.
            priority=-future.number,
            resources=resources or None,
            workers=worker,
        )
        future.attach(computed)
        if future.ends:  # it was stopped meanwhile
            computed.cancel(force=True)
            return

        def done(computed: distributed.Future[Outcome]) -> None:
            if computed.status == "finished":
                if not future.claim_end():  # it was stopped
                    return
                future.mark_ready()
                if not self._takes_together:
                    future.outcome()  # fetched now, whenever the flow will ask for it
                self._done.put(future)
                return
            again = (arguments, f"{future.name}-{uuid.uuid4()}", resources)
            error = computed.exception() if computed.status == "error" else None
            if isinstance(error, KilledWorker):
                may_move = again if worker is None else None
                self._losses.add(_Loss(future, may_move, error.last_worker.address))
            else:  # the scheduler is gone, or cancelled it
                reason = f"the task was lost ({computed.status}: {error})"
                self._crash(future, reason, cut_off=computed.status == "cancelled")

        computed.add_done_callback(done)

    def _judge(self, losses: list[_Loss]) -> None:
        """Crash the task runs that dead workers had begun, and start the others elsewhere."""
        began: list[tuple[_Loss, str]] = []
        for loss in losses:
            if loss.future.ends:  # it was stopped
                continue
            loss.future.losses += 1
            try:
                if loss.again is None or self._has_begun(loss.future.task_run_id):
                    began.append((loss, ""))
                elif loss.future.losses > _MOST_LOSSES:
                    began.append((loss, f"; so did {_MOST_LOSSES} others on which it waited"))
                else:
                    self._start(loss.future, *loss.again, None)
            except OSError as error:
                began.append((loss, f", and the scheduler is gone ({error})"))
        if self.cluster.mark is not None:
            end_orphans(self.cluster.mark)
        for loss, more in began:
            death = Death(f"the worker process {loss.worker} died")
            with suppress(OSError):  # the scheduler is gone
                death = self.death_of(loss.worker, loss.future.task_run_id)
            self._crash(loss.future, death.reason + more, began=death.began)

    def _has_begun(self, task_run_id: uuid.UUID) -> bool:
        if self._marks is not None:
            return self._marks.has_begun(task_run_id)
        return has_begun(self.cluster.client, task_run_id)

    def _stored(self, task_run_id: uuid.UUID) -> Outcome | None:
        if self._marks is None:
            return None
        outcome: Outcome | None = self._marks.outcome(task_run_id)
        return outcome

    def _explain(self, task_run_id: uuid.UUID, outcome: Outcome) -> Outcome:
        """Find out the reason of an outcome that says only that another worker died with it."""
        if not outcome.is_of_dead_worker:
            return outcome
        try:
            death = self.death_of(None, task_run_id)
        except OSError:  # the scheduler is gone
            return outcome
        return _crashed(death)

    def death_of(self, worker: str | None, task_run_id: uuid.UUID | None = None) -> Death:
        """Find out why a worker died; this may take a few seconds.

        Args:
            worker: Its address; None for the one that began the task run.
            task_run_id: A task run that it may have begun.

        Raises:
            OSError: The scheduler is gone.
        """
        here = self.cluster.mark is not None
        marked = self._marks.read(task_run_id) if self._marks and task_run_id else None
        return why_died(self.cluster.client, worker, task_run_id, owned=here, marked=marked)

    def _crash(
        self,
        future: TrialFuture[Any],
        message: str,
        *,
        began: float = 0.0,
        cut_off: bool = False,
    ) -> None:
        if future.claim_end():
            self._end(future, _crashed(Death(message, began), cut_off=cut_off))

    def _end(self, future: TrialFuture[Any], outcome: Outcome) -> None:
        """End a task run with an outcome that no worker reported."""
        self._note(future, outcome)
        self._done.put(future)
        future.settle(outcome)

    def _note(self, future: TrialFuture[Any], outcome: Outcome) -> None:
        """Note how a task run ended, in the book for the server."""
        known = self._outstanding.pop(future.task_run_id, None)
        if known is None:
            return
        if outcome.worker:
            self._seen_workers.add(outcome.worker)
        self._book.note(future.task_run_id, known.task, known.ended(outcome))
        if not outcome.reported:
            self._book.send(future.task_run_id)
        if outcome.type == StateType.CRASHED.value and self.cluster.mark is not None:
            end_orphans(self.cluster.mark)  # what a dead process has started
        if self._marks is not None:
            # Later: Dask may run it once more if its worker dies just now.
            self._begun.append(future.task_run_id)
            if len(self._begun) > _CLEAR_AT_ONCE:
                self._marks.clear(self._begun.pop(0))
        elif not self.cluster.owned:
            self._begun.append(future.task_run_id)
            if len(self._begun) >= _CLEAR_AT_ONCE:
                self._clear_beginnings()

    def _clear_beginnings(self) -> None:
        begun, self._begun = self._begun, []
        clear_beginnings(self.cluster.client, begun)

    def _check_resources(self, needed: Mapping[str, float]) -> None:
        """Raise an error if no worker has the resources: Dask would wait for one forever."""
        asked = tuple(sorted(needed.items()))
        if not asked or asked in self._checked_resources:
            return
        deadline = time.monotonic() + RESOURCE_SECONDS
        while True:
            # Asks the scheduler: the client's own copy is refreshed only occasionally.
            workers = self.cluster.client.scheduler_info(n_workers=-1)["workers"].values()
            if any(
                all(worker["resources"].get(name, 0) >= amount for name, amount in asked)
                for worker in workers
            ):
                self._checked_resources.add(asked)
                return
            if time.monotonic() > deadline:
                offered = sorted({str(worker["resources"]) for worker in workers})
                raise ResourceUnavailableError(
                    f"no worker has {dict(needed)}; the cluster's {len(workers)} workers have "
                    f"{', '.join(offered) or 'nothing'}"
                )
            time.sleep(0.2)

    def owner(self) -> Owner:
        """Register the current flow run as an owner of task runs, which any thread may submit.

        A subflow that shares this runner calls this in its own flow run.
        """
        run_context = FlowRunContext.get()
        flow_run = run_context.flow_run if run_context else None
        context = serialized_context(with_tags=self._inherit_tags)
        if not self._console_logs:
            context["console_logs"] = False
        context["all_states"] = self._all_states
        key = self._send("context", cloudpickle.dumps(context))
        if flow_run is None:
            return Owner(key, None)
        self._book.enter(flow_run.id)
        return Owner(key, flow_run.id)

    def _first_owner(self) -> Owner:
        if self._owner is None:
            self._owner = self.owner()
        return self._owner

    def _task(self, task: Task[Any, Any]) -> str:
        known = self._tasks.get(id(task))
        if known is None:
            known = task, self._send(task.name, cloudpickle.dumps(task))
            self._tasks[id(task)] = known  # keeps the task alive, so that its id stays unique
        return known[1]

    def _send(self, name: str, data: bytes) -> str:
        key = f"{name}-{hashlib.sha256(data).hexdigest()[:16]}-{uuid.uuid4().hex[:8]}"
        for attempt in itertools.count(1):
            try:
                self.cluster.client.register_plugin(Share(key, data))
                break
            except OSError:
                # A worker died meanwhile. The scheduler keeps plugins for workers that join later.
                if attempt == _SEND_ATTEMPTS:
                    raise
                time.sleep(0.2)
        self._shared.add(key)
        return key

    def _close(self, *, interrupted: bool) -> None:
        """Leave no task running, and no task run unfinished on the server."""
        outstanding = list(self._outstanding.values())
        sent_all = False
        try:
            self._end_tasks(outstanding, interrupted=interrupted)
            with self._skippable(interrupted=interrupted):
                hurry = interrupted or not self._book.server_answers()
                sent_all = self._flush_workers(hurry=hurry)
        except (OSError, RuntimeError, TimeoutError) as error:
            # A cluster that is gone loses its events; all results are here already.
            self.logger.warning("Workers could not send their last events to Prefect: %s", error)
        if not self.cluster.owned:
            self._leave_cluster()
        if interrupted:
            for known in outstanding:
                stopped = Outcome(StateType.CANCELLED.value, "Cancelled", "the flow was stopped")
                self._book.note(known.future.task_run_id, known.task, known.ended(stopped))
                self._book.send(known.future.task_run_id)
        keeps_all = self._server_keeps_all is not None and self._server_keeps_all()
        with self._skippable(interrupted=interrupted):
            self._book.settle(keeps_all=keeps_all, sent_all=sent_all, hurry=interrupted)

    def _leave_cluster(self) -> None:
        """Remove what workers hold for this run, with the processes of its trials.

        Also where they could not send their events: a cluster that goes on would keep it.
        """
        try:
            self._clear_beginnings()
            for key in list(self._shared):
                self.cluster.client.unregister_worker_plugin(f"hopsml-share-{key}")
        except (OSError, RuntimeError, TimeoutError) as error:
            self.logger.debug("The cluster keeps what this run has sent to it: %s", error)

    def _end_tasks(self, outstanding: list[_Outstanding], *, interrupted: bool) -> None:
        """Cancel what still runs, or wait for it: a flow may end without fetching its results."""
        for known in outstanding:
            if not interrupted:
                known.future.wait()
                self._note(known.future, known.future.outcome())
            elif known.future.dask_future is not None:
                known.future.dask_future.cancel(force=True)

    def _flush_workers(self, *, hurry: bool) -> bool:
        """Let workers send what they hold for the server; whether all that ran tasks did."""
        seconds = 2.0 if hurry else FLUSH_SECONDS
        client = self.cluster.client
        there = on_all_workers(client, seconds + FLUSH_SECONDS, flush_worker, seconds)
        return self._seen_workers <= {worker for worker, sent in there.items() if sent}

    @contextmanager
    def _skippable(self, *, interrupted: bool) -> Iterator[None]:
        """Let Ctrl-C end a wait for the server: all results are there."""
        try:
            yield
        except KeyboardInterrupt:
            if interrupted:
                raise
            self.logger.warning("Interrupted: the Prefect server may lack some task runs' ends.")

    def _settings(self) -> tuple[Any, ...]:
        return (
            self._given,
            self._inherit_tags,
            self._console_logs,
            self._server_keeps_all,
            self._all_states,
        )


def _crashed(death: Death, *, cut_off: bool = False) -> Outcome:
    """The outcome of a task run whose worker died."""
    return Outcome(
        "CRASHED",
        "Crashed",
        death.reason,
        error=WorkerLostError(death.reason),
        reported=False,
        started=death.began,
        ended=time.time() if death.began else 0.0,
        cut_off=cut_off,
    )


def _inputs(
    parameters: Mapping[str, Any],
    waited: list[Any] | None,
    dependencies: Mapping[str, set[RunInput]] | None,
) -> dict[str, set[Any]]:
    """Task inputs by parameter, in the form that Prefect's engine takes."""
    inputs: dict[str, set[Any]] = {
        name: task_inputs(value)
        for name, value in parameters.items()
        if not isinstance(value, _PLAIN)
    }
    for name, found in (dependencies or {}).items():
        inputs[name] = {*inputs.get(name, ()), *found}
    if waited:
        inputs["wait_for"] = task_inputs(waited)
    return inputs


def _dask_ready(value: Any) -> Any:
    """Parameters in which each future of this runner is replaced by what Dask resolves."""
    if value is None or (
        isinstance(value, dict) and all(isinstance(inner, _PLAIN) for inner in value.values())
    ):
        return value  # visiting each value costs more than the rest of a submission

    def replace(inner: Any) -> Any:
        return inner.dependency if isinstance(inner, TrialFuture) else inner

    return mapped(value, replace)
