"""Prefect artifacts of an experiment: its progress, a table of its trials, a link to TensorBoard.

Written by one thread of the driver, at most every two seconds, so that a slow or absent Prefect
server holds nothing up. What cannot be written is left out: artifacts show, they keep nothing.
"""

from __future__ import annotations

import logging
import math
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from hopsml_flows.trials import slug

if TYPE_CHECKING:
    from hopsml_flows.search import Direction
    from hopsml_flows.trials import Counts, TrialResult

__all__ = ["ArtifactWriter", "trial_rows"]

_SECONDS = 2.0
_MAX_ROWS = 500
_logger = logging.getLogger(__name__)


class ArtifactWriter:
    """Keeps the artifacts of the current flow run up to date.

    Args:
        name: The experiment's name: artifacts of one name are versions of each other.
        title: What the progress artifact is called.
        direction: Which way is better; the table is sorted by it.
        tensorboard: URL of the TensorBoard that shows it, or None.
    """

    def __init__(
        self,
        name: str,
        title: str,
        direction: Direction | None,
        *,
        tensorboard: str | None = None,
    ) -> None:
        self._key = slug(name)
        self._title = title
        self._direction = direction
        self._tensorboard = tensorboard
        self._results: list[TrialResult] = []
        self._counts: Counts | None = None
        self._progress_id: UUID | None = None
        self._shown = -1
        self._wake = threading.Event()
        self._closing = False
        # The thread needs this run's context: artifacts find their flow run in it.
        context = copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="hopsml-artifacts", daemon=True
        )
        self._thread.start()

    def update(self, counts: Counts, result: TrialResult | None = None) -> None:
        """Take in where the experiment stands, and a new result; returns at once."""
        if result is not None:
            self._results.append(result)
        self._counts = counts

    def close(self, timeout: float = 10.0) -> None:
        """Write the last state and stop.

        Args:
            timeout: Seconds to wait for a slow server.
        """
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        if self._tensorboard is not None:
            self._write_link(self._tensorboard)
        last = False
        while not last:
            self._wake.wait(_SECONDS)
            last = self._closing  # before it writes: what comes in meanwhile is written once more
            self._write()

    def _write_link(self, url: str) -> None:
        try:
            create_link_artifact(
                link=url,
                link_text="TensorBoard",
                key=f"{self._key}-tensorboard",
                description=f"TensorBoard of {self._title} while it runs; "
                "afterwards, `hopsml tensorboard` shows it",
            )
        except Exception as error:
            _logger.debug("artifact not written: %s", error)

    def _write(self) -> None:
        counts, results = self._counts, self._results[:]
        if counts is None:
            return
        percent = 100.0 * counts.done / counts.total if counts.total else 0.0
        try:
            if self._progress_id is None:
                self._progress_id = _uuid(
                    create_progress_artifact(
                        progress=percent, key=f"{self._key}-progress", description=self._title
                    )
                )
            else:
                update_progress_artifact(self._progress_id, progress=percent)
            if self._shown != len(results) and (self._closing or self._affordable(len(results))):
                create_table_artifact(
                    table=trial_rows(results, self._direction),
                    key=f"{self._key}-trials",
                    description=f"Trials of {self._title}",
                )
                self._shown = len(results)
        except Exception as error:  # the server may be away, or refuse: the run goes on
            _logger.debug("artifact not written: %s", error)

    def _affordable(self, count: int) -> bool:
        """Each table is a new version on the server: write one when a tenth is new."""
        return self._shown < 0 or count - self._shown >= max(1, self._shown // 10)


def trial_rows(results: list[TrialResult], direction: Direction | None) -> list[dict[str, Any]]:
    """Results as rows of a table, best first, failures last, at most 500.

    Args:
        results: Any number of results.
        direction: Which way is better; None keeps the trials' order.
    """

    def order(result: TrialResult) -> tuple[bool, float, int]:
        value = 0.0
        if direction is not None and result.metric is not None:
            value = -result.metric if direction.value == "MAX" else result.metric
        return not result.succeeded, value, result.number

    return [
        {
            "trial": result.number,
            **{name: _cell(value) for name, value in result.params.items()},
            "metric": _cell(result.metric),
            "state": result.state.value,
            "seconds": round(result.duration, 2),
            "error": str(result.failure) if result.failure else "",
        }
        for result in sorted(results, key=order)[:_MAX_ROWS]
    ]


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
