"""The driver's book of how task runs ended, which completes what the Prefect server knows.

Workers send the states of task runs as events, in the background. A worker that dies loses the
events that it has not sent, and a server that is away misses some. The driver knows every outcome:
at the end it asks the server which it has, and sends the missing ones.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateDetails, StateType, TaskRun
from prefect.context import FlowRunContext, TagsContext
from prefect.states import Pending, Running
from prefect.tasks import Task

from hopsml_flows.prefect_internals.engine import send_state_change
from hopsml_flows.prefect_internals.log_delivery import send_all_apart
from hopsml_flows.user_warnings import warn

__all__ = ["FinalState", "StateBook"]

_PAGE = 200
_FLUSH_SECONDS = 10.0
_ANSWER_SECONDS = 10.0
_BUSY_SECONDS = 30.0  # a server can be silent this long after it has received much
_STALLED_SECONDS = 5.0  # a server that records nothing new for this long counts as done
_HURRIED_SECONDS = 3.0
_PATIENCE_SECONDS = 5.0
_NOTICE_SECONDS = 2.0
_FINAL = [
    state.value
    for state in StateType
    if state.name in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
]
_logger = logging.getLogger(__name__)


class _Wait(Enum):
    """How the wait for the server's count ended."""

    COMPLETE = "the server has all"
    GROWING = "the server is still recording"
    STALLED = "nothing more comes, or the count cannot tell"


@dataclass(frozen=True, slots=True)
class FinalState:
    """How a task run ended.

    Args:
        name: The task run's name.
        type: Prefect's state type.
        state_name: The state's name.
        message: Its message.
        flow_run_id: The flow run it belongs to; None if there is none.
        started: When it began, in seconds since the epoch; 0 if that is not known.
        ended: When it ended, like ``started``.
        inputs: The task runs that each of its parameters comes from, as Prefect's engine has them.
    """

    name: str
    type: str
    state_name: str
    message: str | None
    flow_run_id: UUID | None
    started: float = 0.0
    ended: float = 0.0
    inputs: Mapping[str, Collection[Any]] = field(default_factory=dict)


class StateBook:
    """Remembers how the task runs of a flow run and its subflows ended, and tells the server.

    Task runs without a flow run are not compared with the server's.

    Args:
        notice: Tells the user what a wait of some seconds is for.
        with_tags: Whether task runs have the tags of their flow run.
    """

    def __init__(
        self, notice: Callable[[str], None] = _logger.info, *, with_tags: bool = False
    ) -> None:
        self._notice = notice
        self._with_tags = with_tags
        # Prefect finds its settings in the context. Dask's threads have another context, in which
        # Prefect would start a server of its own.
        self._context = copy_context()
        self._contexts: dict[UUID | None, Context] = {}
        self._sent_by_driver = False
        self._finals: dict[UUID, FinalState] = {}
        self._tasks: dict[UUID, Task[Any, Any]] = {}
        self._recorded: dict[UUID, UUID] = {}  # task run to flow run

    def enter(self, flow_run_id: UUID) -> None:
        """Remember the current context as that of a flow run, whose events are sent from it."""
        self._contexts[flow_run_id] = copy_context()

    def note(self, task_run_id: UUID, task: Task[Any, Any], final: FinalState) -> None:
        """Remember how a task run ended."""
        self._finals[task_run_id] = final
        self._tasks[task_run_id] = task
        if final.flow_run_id is not None:
            self._recorded[task_run_id] = final.flow_run_id

    def send(self, task_run_id: UUID) -> None:
        """Send a task run's final state to the server, in the background.

        It tells all that a worker's event would: the server may have nothing else of the task run.
        """
        self._sent_by_driver = True
        # Prefect relates an event to the flow run of the context in which it is sent.
        flow_run_id = self._finals[task_run_id].flow_run_id
        context = self._contexts.get(flow_run_id, self._context)
        context.copy().run(self._send, task_run_id)

    def _send(self, task_run_id: UUID) -> None:
        task, final = self._tasks[task_run_id], self._finals[task_run_id]
        details = StateDetails(task_run_id=task_run_id, flow_run_id=final.flow_run_id)
        ended = _time(final.ended) or datetime.now(UTC)
        # One that waits for another that failed is Pending in the end: it never ran.
        ran = final.type != StateType.PENDING.value
        started = _time(final.started) if ran else None
        if started is not None:
            ended = max(started, ended)  # clocks of two machines
        state: State[Any] = State(
            type=StateType(final.type),
            name=final.state_name,
            message=final.message,
            timestamp=ended,
            state_details=details,
        )
        before: State[Any] = (Running if started else Pending)(state_details=details)
        flow_context = FlowRunContext.get()
        flow_run = flow_context.flow_run if flow_context else None
        tags_context = TagsContext.get() if self._with_tags else None
        run = TaskRun(
            id=task_run_id,
            name=final.name,
            flow_run_id=final.flow_run_id,
            task_key=task.task_key,
            dynamic_key=str(task_run_id),
            task_version=task.version,
            tags=sorted({*task.tags, *(tags_context.current_tags if tags_context else ())}),
            task_inputs={name: list(found) for name, found in final.inputs.items()},
            run_count=1 if started else 0,
            flow_run_run_count=flow_run.run_count if flow_run else 0,
            expected_start_time=started or ended,
            start_time=started,
            end_time=ended,
            total_run_time=ended - started if started else timedelta(),
            state_id=state.id,
            state_type=state.type,
            state_name=state.name,
            state=state,
        )
        send_state_change(run, before, state)

    def complete(self, task_run_id: UUID, started: float) -> None:
        """Tell the server that a task run has completed, which it was told had crashed.

        Args:
            task_run_id: The task run.
            started: When it began, in seconds since the epoch.
        """
        final = replace(
            self._finals[task_run_id],
            type=StateType.COMPLETED.value,
            state_name="Completed",
            message=None,
            started=started,
            ended=time.time(),  # the server keeps the later state
        )
        self.note(task_run_id, self._tasks[task_run_id], final)
        self.send(task_run_id)

    def server_answers(self) -> bool:
        """Whether the server answers within 10 s. Prefect's own client would try much longer."""
        with get_client(sync_client=True) as client:
            return _why_silent(client, _ANSWER_SECONDS) is None

    def settle(self, *, keeps_all: bool, sent_all: bool, hurry: bool) -> None:
        """Make sure that the server has, or will have, all final states.

        There is nothing to wait for if it has been sent all and keeps it. Else wait until it has
        all, and send what it lacks when no more comes. Where all was sent to a server that may
        lose something, the wait is at most 5 s: it may still be recording then.

        Args:
            keeps_all: Whether the server keeps all that it is sent.
            sent_all: Whether all workers have sent what they had.
            hurry: Whether to give up sooner on a server that is silent or records nothing new,
                because a supervisor may soon kill this process.

        Raises:
            KeyboardInterrupt: The user does not want to wait. Only the server's view suffers.
        """
        if not self._recorded:
            return
        sent_all = send_all_apart(_FLUSH_SECONDS) and sent_all and not self._sent_by_driver
        answer_seconds = _ANSWER_SECONDS if hurry else _BUSY_SECONDS
        stalled_seconds = _HURRIED_SECONDS if hurry else _STALLED_SECONDS
        patience = _PATIENCE_SECONDS if sent_all else None
        with get_client(sync_client=True) as client:
            if (reason := _why_silent(client, answer_seconds)) is not None:
                self._warn(reason)
                return
            if keeps_all and sent_all:
                return
            if self._wait(client, stalled_seconds, patience) is not _Wait.STALLED:
                return
            try:
                missing = self._missing(client)
            except (httpx.HTTPError, ValueError) as error:
                self._warn(type(error).__name__)
                return
            for task_run_id in missing:
                self.send(task_run_id)
            send_all_apart(_FLUSH_SECONDS)
            if missing:
                self._wait(client, stalled_seconds, patience)

    def _wait(
        self, client: SyncPrefectClient, stalled_seconds: float, patience_seconds: float | None
    ) -> _Wait:
        """Wait while the server's count of final task runs grows."""
        began = changed = time.monotonic()
        seen, pause, noticed = -1, 0.05, False
        while True:
            now = time.monotonic()
            count = self._count(client)
            if count is not None and count == len(self._recorded):
                return _Wait.COMPLETE
            if count is not None and count > len(self._recorded):
                # The count includes other task runs of these flow runs: compare them one by one.
                return _Wait.STALLED
            if count is not None and count != seen:
                seen, changed = count, now
            if now - changed > stalled_seconds:
                return _Wait.STALLED
            if patience_seconds is not None and now - began > patience_seconds:
                return _Wait.GROWING
            if not noticed and now - began > _NOTICE_SECONDS:
                noticed = True
                self._notice(
                    f"The Prefect server has {max(seen, 0)} of {len(self._recorded)} task runs. "
                    "All results are stored; Ctrl-C ends this wait."
                )
            time.sleep(pause)
            pause = min(0.5, pause * 1.5)

    def _warn(self, reason: str) -> None:
        warn(
            f"the Prefect server does not answer ({reason}): it may show task runs of this "
            "flow run as unfinished; their results are on storage"
        )

    def _count(self, client: SyncPrefectClient) -> int | None:
        body = {**self._filter(), "task_runs": {"state": {"type": {"any_": _FINAL}}}}
        try:
            return int(client.request("POST", "/task_runs/count", json=body).json())
        except (httpx.HTTPError, ValueError) as error:
            _logger.debug("the server did not count: %s", error)
            return None

    def _missing(self, client: SyncPrefectClient) -> list[UUID]:
        """Task runs that the server does not show in a final state."""
        final: set[UUID] = set()
        offset = 0
        while page := self._page(client, offset):
            final |= {UUID(run["id"]) for run in page if run["state_type"] in _FINAL}
            offset += len(page)
        return [task_run_id for task_run_id in self._recorded if task_run_id not in final]

    def _page(self, client: SyncPrefectClient, offset: int) -> list[dict[str, Any]]:
        body = {**self._filter(), "limit": _PAGE, "offset": offset, "sort": "ID_DESC"}
        page: list[dict[str, Any]] = client.request("POST", "/task_runs/filter", json=body).json()
        return page

    def _filter(self) -> dict[str, Any]:
        flow_runs = {str(flow_run_id) for flow_run_id in self._recorded.values()}
        return {"flow_runs": {"id": {"any_": sorted(flow_runs)}}}


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _why_silent(client: SyncPrefectClient, seconds: float) -> str | None:
    """Why the server does not answer; None if it does."""
    url = f"{str(client.api_url).rstrip('/')}/health"
    try:
        # Without TLS there are no certificates to verify, and reading them takes 25 ms.
        httpx.get(url, timeout=seconds, verify=url.startswith("https:"))
    except httpx.TimeoutException:
        return f"nothing came within {seconds:g} s"
    except httpx.TransportError as error:
        refused = isinstance(error, httpx.ConnectError) and "refused" in str(error)
        return "it refuses connections" if refused else f"{type(error).__name__}: {error}"
    return None
