"""Prefect's contexts of flow runs and task runs: sends, enters and changes them.

A training process imports this module while it imports ``prefect.context``. So import no other
module of Prefect at the top of this one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any

from prefect.context import (
    FlowRunContext,
    SyncClientContext,
    TaskRunContext,
    hydrated_context,
    serialize_context,
)

__all__ = [
    "count_subflows",
    "enter_context",
    "forget_results",
    "serialized_context",
    "task_run_context",
    "task_run_text",
]

_TASK_RUN_FIELDS = {"id", "name", "flow_run_id", "task_key", "dynamic_key", "tags"}


def serialized_context(*, with_tags: bool) -> dict[str, Any]:
    """The current context, for :func:`enter_context` in other processes.

    ``serialize_context`` is undocumented, and so are the keys of its result. No public function
    sends a context to another process.

    Args:
        with_tags: Whether task runs inherit the current tags.
    """
    from prefect.client.orchestration import get_client

    context = serialize_context()
    # Leave out what only costs time on the other side: the parent task, and a version check that
    # fails if the server is away.
    context["task_run_context"] = {}
    if not with_tags:
        context["tags_context"] = {}
    settings = context["settings_context"]["settings"]
    settings.setdefault("client", {})["server_version_check_enabled"] = False
    # A parent flow may use Prefect's own temporary server, which no setting names. Without its
    # address each worker would start a server of its own.
    settings.setdefault("api", {})["url"] = str(get_client(sync_client=True).api_url)
    return context


def enter_context(stack: ExitStack, serialized: dict[str, Any]) -> None:
    """Enter a context that another process serialized, until the stack closes.

    ``hydrated_context`` and ``SyncClientContext`` are undocumented. Without the latter, Prefect's
    engine makes a client with its TLS context for every task.
    """
    stack.enter_context(hydrated_context(serialized))
    stack.enter_context(SyncClientContext.get_or_create())


def count_subflows(flow_key: str, number: int) -> None:
    """Set the number that Prefect gives the next call of a subflow in the current flow run.

    Prefect counts a subflow's calls in the undocumented ``task_run_dynamic_keys``, to recognize
    them when the flow run is run again. No public function sets the count.
    """
    context = FlowRunContext.get()
    if context is not None and number > 0:
        context.task_run_dynamic_keys[flow_key] = number - 1


def forget_results() -> None:
    """Free the results that Prefect keeps for tasks submitted in this process.

    The undocumented ``run_results`` keeps them until the flow run ends, which never happens on a
    worker.
    """
    context = FlowRunContext.get()
    if context is not None:
        context.run_results.clear()


def task_run_text(context: TaskRunContext) -> str:
    """The current task run as JSON, for :func:`task_run_context` in another process."""
    return context.task_run.model_dump_json(include=_TASK_RUN_FIELDS)


def task_run_context(text: str) -> AbstractContextManager[Any]:
    """A context in which a task run of another process is the current one.

    The task and its results stay on the worker. Prefect's constructor demands both, so this
    context is made without validation.
    """
    from prefect.client.schemas.objects import TaskRun

    construct: Any = TaskRunContext.model_construct
    made: AbstractContextManager[Any] = construct(
        task_run=TaskRun.model_validate_json(text), task=None, parameters={}
    )
    return made
