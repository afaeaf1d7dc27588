"""Holds the first states of task runs back, so that short ones send their final state only.

Prefect's engine sends each state of a task run to the server as an event. The final one has all
that the server stores of a task run, and each event costs the server as much. So Pending and
Running wait for a second, and are dropped if the task run ends meanwhile.

The engine has no setting for that: it calls ``emit_task_run_state_change_event``, which is
undocumented, by its name in ``prefect.task_engine``. :func:`holding` replaces that name. Events of
task runs outside of :func:`first_states_of` are sent as always.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.events import Event

__all__ = ["HOLD_SECONDS", "first_states_of", "holding", "send_held"]

HOLD_SECONDS = 1.0
"""How long the first states of a task run are held back."""

_FIRST = ("Pending", "Running")
"""Names of the states that are held back. Others, such as Retrying, say more."""

_Emit = Callable[..., "Event | None"]
_logger = logging.getLogger(__name__)


class _FirstStates:
    """The states of one task run on their way to the server.

    Args:
        task_run_id: The task run.
    """

    def __init__(self, task_run_id: UUID) -> None:
        self.task_run_id = task_run_id
        self.due = 0.0  # set with the first state that is held
        self._lock = threading.Lock()  # sends the held states before the next one
        self._holds = True
        self._held: list[Callable[[], Event | None]] = []
        self._sent: Event | None = None

    def take(
        self, emit: _Emit, run: TaskRun, before: State[Any] | None, state: State[Any]
    ) -> Event | None:
        """Hold a state back, or send it; the final one drops what is held.

        Returns:
            The last event that was sent: the next one follows it.
        """
        with self._lock:
            # The engine goes on changing the task run; the states stay as they are.
            send = partial(self._send, emit, run.model_copy(), before, state)
            if self._holds and state.name in _FIRST:
                if not self._held:
                    self.due = time.monotonic() + HOLD_SECONDS
                    _holder.add(self)
                # Prefect finds server and flow run in the context in which an event is sent.
                self._held.append(partial(copy_context().run, send))
            else:
                if state.is_final():
                    self._held.clear()
                self._send_held()
                send()
            return self._sent

    def release(self) -> None:
        """Send what is held, and hold nothing more."""
        with self._lock:
            self._send_held()

    def _send_held(self) -> None:
        self._holds = False
        held, self._held = self._held, []
        for send in held:
            send()

    def _send(
        self, emit: _Emit, run: TaskRun, before: State[Any] | None, state: State[Any]
    ) -> Event | None:
        # Never after an event that was dropped: the server's triggers would wait for it.
        self._sent = emit(run, before, state, self._sent) or self._sent
        return self._sent


_current: ContextVar[_FirstStates | None] = ContextVar("hopsml_first_states", default=None)


class _Holder:
    """The task runs of this process whose first states are held back.

    One thread sends what becomes due. It runs while the engine's function is replaced.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._thread: threading.Thread | None = None
        self._idle = False
        self._emit: _Emit | None = None
        self._runs: dict[UUID, _FirstStates] = {}  # in the order in which they are due

    def enter(self) -> None:
        """Replace the engine's function, unless another user of this holder has done so."""
        from prefect.utilities.engine import emit_task_run_state_change_event

        engine = _engine()
        with self._changed:
            self._users += 1
            if self._users > 1:
                return
            present = engine.emit_task_run_state_change_event
            # A library that lay above may have put Prefect's own function back meanwhile.
            if self._emit is None or present is emit_task_run_state_change_event:
                self._emit = present
                engine.emit_task_run_state_change_event = self._take
            self._thread = threading.Thread(
                target=self._watch, name="hopsml-first-states", daemon=True
            )
            self._thread.start()

    def leave(self) -> None:
        """Put the engine's function back after the last user, and send what is held."""
        engine = _engine()
        with self._changed:
            self._users -= 1
            if self._users:
                return
            # If another library has replaced it since, this one stays beneath and passes on.
            if engine.emit_task_run_state_change_event == self._take:
                engine.emit_task_run_state_change_event = self._emit
                self._emit = None
            self._thread = None
            self._changed.notify()
        self.release()

    def add(self, states: _FirstStates) -> None:
        """Watch a task run that begins."""
        with self._changed:
            self._runs[states.task_run_id] = states
            if self._idle:  # otherwise the thread wakes up early enough
                self._changed.notify()

    def remove(self, states: _FirstStates) -> None:
        """Watch a task run no longer."""
        with self._changed:
            self._runs.pop(states.task_run_id, None)

    def release(self) -> None:
        """Send what is held of all task runs."""
        with self._changed:
            runs = list(self._runs.values())
            self._runs.clear()
        for states in runs:
            _release(states)

    def _take(
        self,
        task_run: TaskRun,
        initial_state: State[Any] | None,
        validated_state: State[Any],
        follows: Event | None = None,
    ) -> Event | None:
        """Stand in for the engine's function, with its parameters."""
        from prefect.utilities.engine import emit_task_run_state_change_event

        emit = self._emit or emit_task_run_state_change_event
        states = _current.get()
        if states is None or states.task_run_id != task_run.id:  # of others, or nested
            return emit(task_run, initial_state, validated_state, follows)
        return states.take(emit, task_run, initial_state, validated_state)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._thread is not threading.current_thread():
                    return
                first = next(iter(self._runs.values()), None)
                left = None if first is None else first.due - time.monotonic()
                if left is None or left > 0:
                    self._idle = first is None
                    self._changed.wait(left)
                    self._idle = False
                    continue
                assert first is not None
                del self._runs[first.task_run_id]
            _release(first)


def _release(states: _FirstStates) -> None:
    try:
        states.release()
    except Exception:  # such as an event that is too large; the task run goes on
        _logger.exception("the first states of task run %s are lost", states.task_run_id)


def _engine() -> Any:
    # Any: types see no assignment to a name that the module only imports.
    return importlib.import_module("prefect.task_engine")


_holder = _Holder()


@contextmanager
def holding() -> Iterator[None]:
    """Make :func:`first_states_of` hold states back in this process, until the block ends."""
    _connect()
    _holder.enter()
    try:
        yield
    finally:
        _holder.leave()


def _connect() -> None:
    """Let Prefect's thread connect to the server now: a final state does not wait for it then."""
    from prefect.events.worker import EventsWorker
    from prefect.settings import PREFECT_API_URL

    try:
        if PREFECT_API_URL.value():  # without one, Prefect would start a server here
            EventsWorker.instance()
    except Exception:  # as where an event is sent, which tries again: it fails no task run
        _logger.debug("Prefect's thread for events did not start", exc_info=True)


@contextmanager
def first_states_of(task_run_id: UUID) -> Iterator[None]:
    """Hold Pending and Running of one task run back for a second. Run it inside the block.

    If it ends sooner, only its final state is sent. Use it inside :func:`holding`.

    Args:
        task_run_id: The task run. Other task runs of the block are sent as always.
    """
    states = _FirstStates(task_run_id)
    token = _current.set(states)
    try:
        yield
    finally:
        _current.reset(token)
        _holder.remove(states)
        states.release()  # one that waits for another that failed has no final state


def send_held() -> None:
    """Send now what is held of all task runs of this process."""
    _holder.release()
