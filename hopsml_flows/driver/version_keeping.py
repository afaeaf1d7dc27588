"""Keeps an experiment's program and environment, in a thread beside its start."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from hopsml_flows.redaction import redacted
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.retries import replace_file
from hopsml_flows.tracking import RecordFile, intact_record
from hopsml_flows.tracking.versions.captured import Captured, capture
from hopsml_flows.tracking.versions.stored_program import StoredProgram, read_program

__all__ = ["VersionKeeping"]

_logger = logging.getLogger(__name__)


class VersionKeeping:
    """Captures program and environment at once, and writes them after the experiment's record.

    The record names what is kept once that is on storage. Only the driver's own thread writes the
    record: :attr:`is_due` says when, and :meth:`record` does it.

    Args:
        project: The experiment's project.
        paths: Its paths.
        train_file: The training function's file, or None.
        repeats: The experiment that is repeated: its program is kept again, with the environment
            of now. None if none is.
    """

    def __init__(
        self,
        project: Project,
        paths: ExperimentPaths,
        train_file: Path | None,
        *,
        repeats: ExperimentPaths | None = None,
    ) -> None:
        self._project = project
        self._paths = paths
        self._train_file = train_file
        self._repeats = repeats
        self._record: RecordFile | None = None
        self._captured = threading.Event()
        self._may_write = threading.Event()
        self._is_dropped = False
        self._kept: Captured | None = None
        self._is_recorded = False
        # Nothing waits for storage that hangs: the process may end before.
        self._thread = threading.Thread(target=self._keep, name="hopsml-versions", daemon=True)

    def __enter__(self) -> VersionKeeping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_dropped = True
        self._may_write.set()

    def write_into(self, record: RecordFile) -> None:
        """Write the files now: the experiment's directory is there.

        Args:
            record: The experiment's record, which gets to name them.
        """
        self._record = record
        self._may_write.set()

    @property
    def is_due(self) -> bool:
        """Whether the files are written, and the record does not name them yet."""
        return self._kept is not None and self._record is not None and not self._is_recorded

    def record(self) -> None:
        """Let the record name what is kept, and write it, in one try."""
        if self.is_due and self._record is not None:
            self._name()
            self._record.save(patience=0)
            self._is_recorded = True

    def settle(self, seconds: float) -> None:
        """Let the record name what is kept, without writing it: the experiment ends.

        Args:
            seconds: How long to wait for what is not written yet.
        """
        if self._record is None:
            return
        self._thread.join(seconds)
        self._name()

    def _name(self) -> None:
        kept = self._kept
        if kept is not None and self._record is not None:
            self._record.change(
                program=kept.program, environment=kept.environment, versions=kept.facts
            )

    def _keep(self) -> None:
        kept = capture(self._paths, self._train_file, self._read_repeated)
        self._captured.set()
        self._may_write.wait()
        if self._is_dropped:  # the experiment did not come to its first record
            return
        try:
            for path, content in kept.files.items():
                replace_file(self._project, path, content)
        except Exception as error:  # each file system has errors of its own
            said = redacted(f"{type(error).__name__}: {error}")
            _logger.warning(
                "program and environment of %s are not kept whole (%s)", self._paths.id, said
            )
            return
        self._kept = kept

    def _read_repeated(self) -> StoredProgram | None:
        if self._repeats is None:
            return None
        record = intact_record(self._project, self._repeats.id)
        versions, program = (record.versions, record.program) if record else ({}, None)
        return read_program(self._project, self._repeats, versions, program)
