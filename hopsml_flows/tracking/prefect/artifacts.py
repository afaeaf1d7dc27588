"""Prefect artifacts of an experiment: summary, progress, leaderboard, trials, pictures, link.

One thread of the driver names the flow run and writes them, at most every two seconds, so a slow or
absent Prefect server does not delay the driver. Artifacts that cannot be written are left out: the
experiment's directory has all their facts. A run makes one version of each artifact and changes it
while it runs, so the versions of one key are the experiments of one name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    Artifact,
    LinkArtifact,
    MarkdownArtifact,
    ProgressArtifact,
    TableArtifact,
)
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings

from hopsml_flows.prefect_internals.blocking_calls import call_blocking
from hopsml_flows.tracking.prefect.effect_rows import effect_rows
from hopsml_flows.tracking.prefect.flow_run_name import name_flow_run
from hopsml_flows.tracking.prefect.leaderboard import MOST_LEADERS, leader_rows, leaderboard_note
from hopsml_flows.tracking.prefect.markdown import (
    Standing,
    escaped,
    fitted,
    page,
    table_note,
    trial_rows,
)
from hopsml_flows.tracking.prefect.picture_artifact import picture_artifact
from hopsml_flows.trials import slug
from hopsml_flows.trials.reasons import reasons

if TYPE_CHECKING:
    from hopsml_flows.ablation.findings import Findings
    from hopsml_flows.search import Direction
    from hopsml_flows.tracking.record import ExperimentRecord
    from hopsml_flows.trials import Counts, TrialResult
    from hopsml_flows.trials.learning_curves import LearningCurves

__all__ = ["ArtifactWriter"]

_SECONDS = 2.0
_GONE = httpx.codes.NOT_FOUND
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Made:
    """An artifact that this run has made, with its present content."""

    id: UUID
    data: Any
    description: str


class ArtifactWriter:
    """Keeps the artifacts of the current flow run up to date, from ``start`` to ``close``.

    Args:
        record: Returns the experiment's present record.
        directory: The experiment's directory, as a path or a URL without a password.
        direction: Which way is better; the table is sorted by it.
        tensorboard: URL of the TensorBoard that shows it, or None.
        run_name: Name that the flow run gets, unless the user has chosen one.
    """

    def __init__(
        self,
        record: Callable[[], ExperimentRecord],
        *,
        directory: str,
        direction: Direction | None,
        tensorboard: str | None = None,
        run_name: str,
    ) -> None:
        first = record()
        self._record = record
        self._directory = directory
        self._direction = direction
        self._tensorboard = tensorboard
        self._run_name = run_name
        self._key = slug(first.name)
        self._title = f"{first.name} ({first.function} {first.id})"
        self._metric = first.optimization_key
        self._results: list[TrialResult] = []
        self._reasons: list[str] = []
        self._counts: Counts | None = None
        self._best: TrialResult | None = None
        self._pictures: Mapping[str, bytes] = {}
        self._effects: list[dict[str, str]] = []
        self._made: dict[str, _Made] = {}
        self._rows = -1
        self._curves: LearningCurves | None = None
        self._board: tuple[list[dict[str, Any]], str] | None = None
        self._board_due = 0.0
        self._wake = threading.Event()
        self._ended = False
        self._closing = False
        # Artifacts find their flow run in the context, so the thread gets a copy of it.
        context = copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="hopsml-artifacts", daemon=True
        )

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def update(
        self, counts: Counts, best: TrialResult | None, result: TrialResult | None = None
    ) -> None:
        """Update the counts, the best trial, and add a new result. Returns at once.

        Args:
            counts: The counts of trials.
            best: The best trial so far, or None.
            result: A trial's result, or None.
        """
        if result is not None:
            self._results.append(result)
            self._reasons += reasons([result])
        self._counts, self._best = counts, best
        if time.monotonic() >= self._board_due:
            self._take_board()

    def follow(self, curves: LearningCurves) -> None:
        """Show who leads, from now on.

        Args:
            curves: The curves of all trials. Only the caller's thread reads them.
        """
        self._curves = curves

    def finish(self) -> None:
        """Write the last state now, all trials having ended. Returns at once."""
        self._take_board(over=True)
        self._ended = True
        self._wake.set()

    def show(self, pictures: Mapping[str, bytes], found: Findings | None = None) -> None:
        """Show pictures, and effects as a table, when the writer is closed.

        Args:
            pictures: File name to PNG.
            found: What an ablation study found; None of another experiment.
        """
        self._pictures = pictures
        self._effects = [] if found is None else effect_rows(found)

    def close(self, timeout: float = 10.0) -> None:
        """Write the last state, and stop the thread.

        Args:
            timeout: Longest wait for the server, in seconds.
        """
        self._take_board(over=True)
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)

    def _take_board(self, *, over: bool = False) -> None:
        """Look who leads, in the driver's thread; the thread that writes takes it from here."""
        if self._curves is None:
            return
        leaders, count = self._curves.leaders(MOST_LEADERS, over=over)
        note = leaderboard_note(self._title, len(leaders), count, over=over)
        self._board = leader_rows(leaders, self._metric), note
        self._board_due = time.monotonic() + _SECONDS

    def _run(self) -> None:
        name_flow_run(self._run_name)
        if self._tensorboard is not None:
            self._put(
                LinkArtifact,
                "tensorboard",
                f"TensorBoard of {escaped(self._title)} while it runs; afterwards, "
                "`hopsml tensorboard` shows it",
                link=self._tensorboard,
                link_text="TensorBoard",
            )
        while not self._closing:
            self._wake.wait(_SECONDS)
            self._wake.clear()
            if not self._closing:
                self._write(last=self._ended)
        # Here alone: the server keeps a version per call of pictures.
        self._write(last=True, pictures=self._pictures)

    def _write(self, *, last: bool, pictures: Mapping[str, bytes] | None = None) -> None:
        counts, best, results = self._counts, self._best, self._results[:]
        if counts is None:
            return
        percent = 100.0 * counts.done / counts.total if counts.total else 0.0
        title = escaped(self._title)
        self._put(ProgressArtifact, "progress", f"Progress of {title}", progress=percent)
        if pictures:
            picture_artifact(pictures, name=self._key, title=title)
        if self._effects:
            about = f"Effects of {title}: how much worse the metric is without each component"
            self._put(TableArtifact, "effects", about, table=self._effects)
        standing = Standing(
            self._record(),
            self._directory,
            counts,
            best,
            [result for result in results if not result.succeeded],
            self._tensorboard,
            self._address("pictures") if pictures else None,
            self._reasons[:],
        )
        about = f"Summary of {title}: best trial, counts, links"
        self._put(MarkdownArtifact, "summary", about, markdown=page(standing))
        if self._board is not None and self._board[0]:
            leaders, note = self._board
            self._put(TableArtifact, "leaderboard", note, table=leaders)
        if self._rows != len(results) and (last or self._affordable(len(results))):
            rows = fitted(trial_rows(results, self._direction, self._metric))
            note = table_note(self._title, len(rows), len(results), self._directory)
            self._put(TableArtifact, "trials", note, table=rows)
            self._rows = len(results)

    def _put(self, kind: type[Artifact], name: str, description: str, **content: Any) -> None:
        """Write an artifact if it has changed."""
        artifact = kind(key=f"{self._key}-{name}", description=description, **content)
        try:
            data: Any = call_blocking(artifact.format)
            made = self._made.get(name)
            if made is None:
                created: Any = call_blocking(artifact.create)
                self._made[name] = _Made(created.id, data, description)
            elif (made.data, made.description) != (data, description):
                _change(made.id, data, description)
                self._made[name] = _Made(made.id, data, description)
        except Exception as error:  # the server is away or refuses: the run goes on
            _logger.debug("artifact %s not written: %s", artifact.key, error)
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == _GONE:
                self._made.pop(name, None)  # a user deleted it; make another one

    def _address(self, name: str) -> str:
        """Return the UI's URL of an artifact's versions; its name if there is no UI."""
        base = get_current_settings().ui_url
        return f"{base.rstrip('/')}/artifacts/key/{self._key}-{name}" if base else name

    def _affordable(self, count: int) -> bool:
        """Whether to write the table, which may be large: when a tenth of the rows is new."""
        return self._rows < 0 or count - self._rows >= max(1, self._rows // 10)


def _change(artifact: UUID, data: Any, description: str) -> None:
    with get_client(sync_client=True) as client:
        # The client's own method also sends the content as an event, which the server keeps.
        client.request(
            "PATCH",
            "/artifacts/{id}",
            path_params={"id": artifact},
            json={"data": data, "description": description},
        )
