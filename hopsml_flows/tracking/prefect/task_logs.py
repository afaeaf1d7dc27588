"""Send lines to the logs of Prefect's task runs and flow runs, which the UI shows.

Those of a task run are the lines of its trial's log, those of a flow run the experiment's story.
Prefect's own log worker sends them in batches from a thread, so a slow or absent server delays
neither a trial nor the driver. Imports Prefect; import this module by name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect.context import FlowRunContext, TaskRunContext
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED

from hopsml_flows.execution.output.excerpt import Excerpt
from hopsml_flows.prefect_internals.log_delivery import (
    has_api_handler,
    log_entry_maker,
    log_worker,
)
from hopsml_flows.text import readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from prefect.logging.handlers import APILogWorker

    from hopsml_flows.execution import LineSink

__all__ = ["flow_run_sender", "task_run_lines", "task_run_sender"]

_LOGGER = "hopsml.output"
"""The logger's name that the Prefect UI shows beside a trial's lines."""

_STORY = "hopsml.experiment"
"""The logger's name beside the lines of a flow run."""


def task_run_lines(where: str) -> LineSink | None:
    """Return a sink that sends the lines of a log to the current task run's logs.

    Call it before the trial's output is captured: then the output of what Prefect starts here does
    not count as the trial's.

    Args:
        where: Path or URL of the whole log.

    Returns:
        The sink. None if there is no task run, or its logs are not sent to the server.
    """
    send = task_run_sender()
    return None if send is None else Excerpt(send, where, known=has_api_handler)


def task_run_sender() -> Callable[[int, str], None] | None:
    """Return a function that sends messages to the current task run's logs, at any rate.

    Returns:
        A function of a level of ``logging`` and a message, which any thread may call. None if there
        is no task run, or its logs are not sent to the server.
    """
    context = TaskRunContext.get()
    if context is None:
        return None
    run = context.task_run
    return _sender(_LOGGER, run.flow_run_id, run.id)


def flow_run_sender() -> Callable[[int, str], None] | None:
    """Return a function that sends messages to the current flow run's logs, and nowhere else.

    Returns:
        As :func:`task_run_sender`. None if there is no flow run, or its logs are not sent to the
        server.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return None if run is None else _sender(_STORY, run.id, None)


def _sender(
    logger: str, flow_run_id: UUID | None, task_run_id: UUID | None
) -> Callable[[int, str], None] | None:
    if _workers.of(flow_run_id) is None:
        return None
    entry = log_entry_maker(logger, flow_run_id, task_run_id)

    def send(level: int, message: str) -> None:
        said = entry(level, _shown(level, message))
        for _ in range(2):
            worker = _workers.of(flow_run_id)
            try:
                if worker is not None:
                    worker.send(said)
                return
            except RuntimeError:  # it was stopped, to send what it had, or has failed
                _workers.forget()

    return send


def _shown(level: int, message: str) -> str:
    """Return a message without its level and task-run logger, which Prefect shows beside it."""
    bare = message.removeprefix(f"{logging.getLevelName(level)} ")
    # A message that the server refuses would lose its whole batch.
    return readable(bare.removeprefix("prefect.task_runs: "))


class _Workers:
    """Looks up Prefect's log worker of this process, once per flow run."""

    def __init__(self) -> None:
        self._known: tuple[UUID | None, APILogWorker | None] | None = None

    def of(self, flow_run_id: UUID | None) -> APILogWorker | None:
        known = self._known
        if known is None or known[0] != flow_run_id:
            wanted = PREFECT_LOGGING_TO_API_ENABLED.value()
            known = self._known = (flow_run_id, log_worker() if wanted else None)
        return known[1]

    def forget(self) -> None:
        """Look the log worker up again when it is needed."""
        self._known = None


_workers = _Workers()
