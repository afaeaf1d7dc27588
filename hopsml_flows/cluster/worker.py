"""The part of :class:`~hopsml_flows.cluster.TrialTaskRunner` that runs on Dask workers.

Rebuilding Prefect's context takes about 140 ms, running a task in it about 5 ms. So each worker
process enters the context of a flow run once, and runs each task in a copy of it. What tasks share
(their code, the training function) is sent once per process too, by a worker plugin that Dask also
gives to workers that join later.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import cloudpickle
import distributed
from prefect.client.schemas.objects import State, StateType

from hopsml_flows.cluster.begin_marks import begin, store_outcome
from hopsml_flows.cluster.process_settings import held_level, held_switch_interval
from hopsml_flows.cluster.worker_plugins import first_gpu_only
from hopsml_flows.errors import WorkerLostError
from hopsml_flows.prefect_internals.contexts import enter_context, forget_results
from hopsml_flows.prefect_internals.engine import mapped, result_data, run_task
from hopsml_flows.prefect_internals.first_states import first_states_of, holding
from hopsml_flows.prefect_internals.log_delivery import console_handlers, send_all
from hopsml_flows.storage import reach_loopback_directly

R = TypeVar("R")

SWITCH_SECONDS = 0.0005
"""How long one thread of a worker keeps the interpreter while others wait for it."""

__all__ = [
    "Call",
    "Outcome",
    "Share",
    "SharedRef",
    "flush_worker",
    "perform",
    "silent_consoles",
]


@dataclass(frozen=True, slots=True)
class SharedRef:
    """Takes the place of a shared object in a task's parameters.

    Args:
        key: The key of the object on the workers.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final state of a task run, in a form that is quick to send.

    Args:
        type: Prefect's state type.
        name: The state's name.
        message: Its message.
        value: What the task returned, if it completed.
        error: What it raised, if it did not.
        worker: Address of the worker it ran on, or "".
        reported: Whether Prefect's engine has sent the state to the server.
        started: When it began, in seconds since the epoch; 0 if that is not known.
        ended: When it ended, like ``started``.
        cut_off: Whether the scheduler let go of the task, as it does when the connection to the
            driver breaks; as far as the driver knows, no worker died.
    """

    type: str
    name: str
    message: str | None = None
    value: Any = None
    error: BaseException | None = None
    worker: str = ""
    reported: bool = True
    started: float = 0.0
    ended: float = 0.0
    cut_off: bool = False

    @property
    def is_of_dead_worker(self) -> bool:
        """Whether a worker refused the task run because another worker began it and died."""
        return not self.reported and isinstance(self.error, WorkerLostError) and not self.worker

    @classmethod
    def of(cls, state: State[Any]) -> Outcome:
        """The outcome of a task run that ended on this worker in a final state."""
        data = result_data(state)
        error = data if isinstance(data, BaseException) else None
        value = None if error is not None else data
        if error is not None:
            error = _sendable(error)
        worker = distributed.get_worker().address
        return cls(state.type.value, state.name or "", state.message, value, error, worker)

    def state(self) -> State[Any]:
        """The outcome as a Prefect state."""
        data = self.error if self.error is not None else self.value
        return State(type=StateType(self.type), name=self.name, message=self.message, data=data)


@dataclass(frozen=True, slots=True)
class Call:
    """One task run to perform.

    Args:
        context: Key of the shared Prefect context.
        task: Key of the shared task.
        task_run_id: Identifier of the task run.
        dependencies: Task inputs, in the form that Prefect's engine takes.
        marks: Directory of the marks of task runs that have begun, and of small outcomes; None if
            the scheduler has the marks and Dask passes on all outcomes.
    """

    context: str
    task: str
    task_run_id: UUID
    dependencies: dict[str, set[Any]] | None
    marks: str | None = None


class Share(distributed.WorkerPlugin):
    """Gives an object to every worker process, including those that join later.

    Args:
        key: The key to find it by.
        data: The pickled object.
    """

    def __init__(self, key: str, data: bytes) -> None:
        self.name = f"hopsml-share-{key}"
        self._key = key
        self._data = data
        self._held: ExitStack | None = None

    def setup(self, worker: distributed.Worker) -> None:
        """Store the pickled object; its first use unpickles it."""
        reach_loopback_directly()
        # Undone at teardown: a user's own worker has other work afterwards.
        self._held = ExitStack()
        self._held.enter_context(first_gpu_only(worker))
        # Prefect sends events from other threads than the task's. With Python's default of 5 ms,
        # each system call of the task may wait that long to get the interpreter back. Measured:
        # this doubles the cost of a short task.
        self._held.enter_context(held_switch_interval(SWITCH_SECONDS))
        _shared.put(self._key, self._data)

    async def teardown(self, worker: distributed.Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Forget the object. Closing it may take seconds, so it leaves Dask's loop free."""
        await asyncio.to_thread(_shared.drop, self._key)
        if self._held is not None:
            self._held.close()


class _Shared:
    """The shared objects of this process by key, each unpickled once."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pickled: dict[str, bytes] = {}
        self._objects: dict[str, Any] = {}
        self._contexts: dict[str, _Hydrated] = {}

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._pickled[key] = data

    def drop(self, key: str) -> None:
        with self._lock:
            self._pickled.pop(key, None)
            known = self._objects.pop(key, None), self._contexts.pop(key, None)
        for shared in known:
            if callable(close := getattr(shared, "close", None)):
                close()

    def get(self, key: str) -> Any:
        with self._lock:
            if key not in self._objects:
                self._objects[key] = cloudpickle.loads(self._pickled[key])
            return self._objects[key]

    def context(self, key: str) -> _Hydrated:
        with self._lock:
            if key not in self._contexts:
                self._contexts[key] = _Hydrated(cloudpickle.loads(self._pickled[key]))
            return self._contexts[key]


class _Hydrated:
    """Prefect's context of a flow run, entered once. Tasks run in copies of it."""

    def __init__(self, serialized: dict[str, Any]) -> None:
        self._stack = ExitStack()
        self._context = contextvars.copy_context()
        self.all_states: bool = serialized.pop("all_states", True)
        self._context.run(self._enter, serialized)

    def run(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        return self._context.copy().run(function, *args, **kwargs)

    def close(self) -> None:
        self._context.run(self._stack.close)

    def _enter(self, serialized: dict[str, Any]) -> None:
        console_logs = serialized.pop("console_logs", True)
        enter_context(self._stack, serialized)
        if not console_logs:
            self._stack.enter_context(silent_consoles())
        if not self.all_states:
            self._stack.enter_context(holding())


@contextmanager
def silent_consoles(*, of_prefect_only: bool = False) -> Iterator[None]:
    """Silence Prefect's console handlers for the block; logs still go to the server.

    Args:
        of_prefect_only: Silence Prefect's own lines only. The handlers also write the lines of
            other loggers, such as a training function's.
    """
    consoles = console_handlers(("", "prefect", "prefect.flow_runs", "prefect.task_runs"))
    # Own filter objects: overlapping blocks in this process remove only their own.
    nothing = partial(_is_of_others if of_prefect_only else _nothing)
    worth_sending = partial(_worth_sending)
    task_runs = logging.getLogger("prefect.task_runs")
    with ExitStack() as stack:
        for console in consoles:
            console.addFilter(nothing)
            stack.callback(console.removeFilter, nothing)
        task_runs.addFilter(worth_sending)
        stack.callback(task_runs.removeFilter, worth_sending)
        for name in ("httpx", "httpcore", "websockets"):  # Prefect's traffic
            stack.enter_context(held_level(name, logging.WARNING))
        yield


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] != "prefect"


def _worth_sending(record: logging.LogRecord) -> bool:
    """Whether a log line adds something to the task run's state."""
    return not record.getMessage().startswith("Finished in state Completed")


_shared = _Shared()


def perform(call: Call, parameters: dict[str, Any], wait_for: list[Any] | None) -> Outcome:
    """Run a task with Prefect's own engine. Dask calls this on a worker.

    Args:
        call: What to run.
        parameters: The task's parameters. References to shared objects, and outcomes of earlier
            task runs, are replaced by what they stand for.
        wait_for: Outcomes of the task runs that the task waits for.

    Returns:
        The final state.
    """
    started = time.time()
    context = _shared.context(call.context)
    states = nullcontext() if context.all_states else first_states_of(call.task_run_id)
    outcome = context.run(_perform, call, parameters, wait_for, states)
    outcome = replace(outcome, started=started, ended=time.time())
    if call.marks is not None and outcome.reported:
        store_outcome(call.task_run_id, call.marks, outcome)
    return outcome


def _perform(
    call: Call,
    parameters: dict[str, Any],
    wait_for: list[Any] | None,
    states: AbstractContextManager[None],
) -> Outcome:
    if not begin(call.task_run_id, call.marks):
        lost = WorkerLostError("the worker process that began it died")
        return Outcome("CRASHED", "Crashed", str(lost), error=lost, reported=False)
    task = _shared.get(call.task)
    placed = {name: _placed(value) for name, value in parameters.items()}
    waited = [_placed(value) for value in wait_for] if wait_for else None
    try:
        with states:
            state = run_task(task, call.task_run_id, placed, waited, call.dependencies)
    except Exception as error:  # the engine failed: report it, or the task run hangs
        return Outcome(StateType.CRASHED.value, "Crashed", str(error), error=_sendable(error))
    finally:
        forget_results()
    return Outcome.of(state)


def _placed(value: Any) -> Any:
    if isinstance(value, SharedRef):
        return _shared.get(value.key)
    if isinstance(value, (str, int, float, bool, bytes, type(None))):
        return value

    def place(inner: Any) -> Any:
        return inner.state() if isinstance(inner, Outcome) else inner

    return mapped(value, place)


def _sendable(error: BaseException) -> BaseException:
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # pickling a user's exception can raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


async def flush_worker(timeout: float) -> bool:
    """Send what this worker still holds for the Prefect server, without blocking Dask's loop.

    Args:
        timeout: Longest wait in seconds.

    Returns:
        Whether all events were sent in time.
    """
    return await asyncio.to_thread(send_all, timeout)
