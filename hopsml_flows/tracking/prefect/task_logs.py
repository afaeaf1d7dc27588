"""The lines of a trial's log in the logs of its Prefect task run, as the Prefect UI shows them.

They are handed to Prefect's own worker for logs, which sends them in batches from a thread of its
own: a server that is slow or away is never waited for. Needs Prefect, and is imported by name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect.context import TaskRunContext
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

__all__ = ["task_run_lines", "task_run_sender"]

_LOGGER = "hopsml.output"
"""The logger that the Prefect UI shows the lines under."""


def task_run_lines(where: str) -> LineSink | None:
    """Who takes the lines of a log for the current task run, on the Prefect server.

    Called before the log's lines are captured: what Prefect starts here, and what that prints, is
    no output of a trial then.

    Args:
        where: Path or URL of the whole log.

    Returns:
        None where there is no task run, or its logs are not wanted.
    """
    send = task_run_sender()
    return None if send is None else Excerpt(send, where, known=has_api_handler)


def task_run_sender() -> Callable[[int, str], None] | None:
    """Who takes messages for the current task run, on the Prefect server, as fast as they come.

    Returns:
        A function of a level of ``logging`` and a message, for any thread; None as above.
    """
    context = TaskRunContext.get()
    if context is None:
        return None
    run = context.task_run
    worker = _workers.of(run.flow_run_id)
    if worker is None:
        return None
    entry = log_entry_maker(_LOGGER, run.flow_run_id, run.id)

    def send(level: int, message: str) -> None:
        try:
            worker.send(entry(level, _shown(level, message)))
        except RuntimeError:  # it was stopped, or could not go on
            _workers.forget()

    return send


def _shown(level: int, message: str) -> str:
    """A message without what Prefect shows beside it; those of a run's own logger as they are."""
    bare = message.removeprefix(f"{logging.getLevelName(level)} ")
    # One that the server cannot take would cost all those that are sent together with it.
    return readable(bare.removeprefix("prefect.task_runs: "))


class _Workers:
    """Prefect's worker for logs of this process, looked up once a flow run."""

    def __init__(self) -> None:
        self._known: tuple[UUID | None, APILogWorker | None] | None = None

    def of(self, flow_run_id: UUID | None) -> APILogWorker | None:
        known = self._known
        if known is None or known[0] != flow_run_id:
            wanted = PREFECT_LOGGING_TO_API_ENABLED.value()
            known = self._known = (flow_run_id, log_worker() if wanted else None)
        return known[1]

    def forget(self) -> None:
        """Look it up again for the next trial."""
        self._known = None


_workers = _Workers()
