"""Prefect's task engine: runs a task, finds its inputs, reads and sends its states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from prefect.client.schemas.objects import State, TaskRun
from prefect.flow_engine import FlowRunEngine
from prefect.futures import PrefectTaskRunFuture
from prefect.results import ResultRecord  # type: ignore[attr-defined]  # not in __all__
from prefect.task_engine import run_task_async, run_task_sync
from prefect.tasks import Task
from prefect.utilities.annotations import NotSet
from prefect.utilities.collections import visit_collection
from prefect.utilities.engine import (
    collect_task_run_inputs_sync,
    emit_task_run_state_change_event,
    link_state_to_flow_run_result,
)

__all__ = [
    "forget_earlier_attempts",
    "link_result",
    "mapped",
    "result_data",
    "run_task",
    "send_state_change",
    "set_final_state",
    "task_inputs",
]


def run_task(
    task: Task[Any, Any],
    task_run_id: UUID,
    parameters: dict[str, Any],
    wait_for: list[Any] | None,
    dependencies: dict[str, set[Any]] | None,
) -> State[Any]:
    """Run a task in the current context under a known task run id; return its final state.

    A call of the task would make a new task run, with an id that the driver does not know.
    """
    arguments: dict[str, Any] = {
        "task": task,
        "task_run_id": task_run_id,
        "parameters": parameters,
        "wait_for": wait_for,
        "return_type": "state",
        "dependencies": dependencies,
        "context": None,  # the caller has entered it
    }
    if task.isasync:
        return cast("State[Any]", asyncio.run(run_task_async(**arguments)))
    return cast("State[Any]", run_task_sync(**arguments))


def result_data(state: State[Any]) -> Any:
    """The task's value or its exception, from a final state of this process.

    ``State.result`` would not do: it may read storage, raises the exception, and can return a
    coroutine.
    """
    data = state.data
    return data.result if isinstance(data, ResultRecord) else data


def link_result(state: State[Any], result: Any) -> None:
    """Let a task that gets a flow run's result depend on that run, in the flow that runs now.

    The engine does so itself where a flow's function returns its result, and not where it returns
    a state. Without a flow that runs, nothing happens.
    """
    link_state_to_flow_run_result(state, result)


def forget_earlier_attempts() -> None:
    """Let a flow that is retried and then returns a state have its value as its result.

    The engine keeps the exception of the attempt before, and raises it in the end, though the flow
    run is Completed: a flow whose function returns a value is asked for that first, one whose
    function returns a state is not. Does nothing when it is called again.
    """
    if getattr(FlowRunEngine.handle_success, "forgets", False):
        return
    succeed = FlowRunEngine.handle_success

    def handle_success(self: FlowRunEngine[Any, Any], result: Any) -> Any:
        returned = succeed(self, result)
        self._raised = NotSet
        return returned

    handle_success.forgets = True  # type: ignore[attr-defined]
    FlowRunEngine.handle_success = handle_success  # type: ignore[method-assign]


def task_inputs(value: Any) -> set[Any]:
    """The task runs from which a value comes, in the form of the engine's ``dependencies``."""
    return set(collect_task_run_inputs_sync(value))


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """A copy of nested collections with a function applied to each element, by Prefect's rules."""
    return visit_collection(value, visit_fn=function, return_data=True)


def send_state_change(run: TaskRun, before: State[Any], state: State[Any]) -> None:
    """Send a task run's change of state to the server, in the background.

    The server records task runs from these events. Its public API would take one blocking request
    per state.
    """
    emit_task_run_state_change_event(run, before, state)


def set_final_state(future: PrefectTaskRunFuture[Any], state: State[Any]) -> None:
    """Set ``future.state`` to a final state, without asking the server.

    The property is public and reads ``_final_state``, for which there is no setter.
    """
    future._final_state = state  # noqa: SLF001
