"""The records of all models of a project, for pages: read in a thread, and kept for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.models import ModelRecord
from hopsml_flows.models.repository import model_names, read_record, read_versions
from hopsml_flows.models.version_claim import version_numbers
from hopsml_flows.service.web.project_files import is_inside
from hopsml_flows.storage import ModelPaths, Project
from hopsml_flows.storage.parallel_requests import in_parallel

__all__ = ["ModelsSeen", "Seen", "model_record"]

_logger = logging.getLogger(__name__)

_LOCAL_SECONDS = 2.0
_REMOTE_SECONDS = 30.0
"""Shortest time between two looks at the storage."""

_SHARE = 20
"""The time between two looks is at least this many times that of one."""

_LONGEST_SECONDS = 300.0
"""Longest time between two looks: however slow they are, pages show what is new."""

_PATIENCE = 0.5
"""Seconds that a page waits which has more to show than models."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the models has found.

    Args:
        records: The records of all versions, by name, the newest version first.
        damaged: Why others cannot be read.
        problem: Why the look failed, or "".
    """

    records: tuple[ModelRecord, ...] = ()
    damaged: tuple[str, ...] = ()
    problem: str = ""

    def of(self, experiment: str, trial: int | None = None) -> tuple[ModelRecord, ...]:
        """Return the versions that come from an experiment.

        Args:
            experiment: Its identifier.
            trial: The number of one trial of it; None for all.
        """
        return tuple(
            record
            for record in self.records
            if record.origin.experiment == experiment
            and (trial is None or record.origin.trial == trial)
        )


class ModelsSeen:
    """Looks at a project's models when pages ask. For several threads.

    Args:
        project: The project.
        clock: A clock that never goes back.
    """

    def __init__(self, project: Project, clock: Callable[[], float] = time.monotonic) -> None:
        self._project = project
        self._clock = clock
        self._lock = threading.Lock()
        self._due = 0.0
        self._seen = Seen()
        self._running: threading.Event | None = None

    def look(self, *, whole: bool) -> Seen:
        """Return what is known, after a look at the storage if one is due.

        Args:
            whole: Whether to wait for that look to its end; else half a second.
        """
        with self._lock:
            running = self._running
            if running is None and self._clock() >= self._due:
                running = self._running = threading.Event()
                threading.Thread(target=self._look, args=(running,), daemon=True).start()
        if running is not None:
            running.wait(None if whole else _PATIENCE)
        with self._lock:
            return self._seen

    def _look(self, done: threading.Event) -> None:
        began = self._clock()
        seen = Seen(problem="the models could not be read")
        try:
            seen = _read(self._project)
        except (StorageUnavailableError, TimeoutError) as error:
            seen = Seen(problem=str(error))
        except Exception as error:  # the page says so, and the next look comes
            _logger.exception("the models could not be read")
            seen = Seen(problem=f"the models could not be read ({type(error).__name__})")
        finally:
            now = self._clock()
            least = _LOCAL_SECONDS if self._project.local_root is not None else _REMOTE_SECONDS
            rest = min(max(least, _SHARE * (now - began)), _LONGEST_SECONDS)
            with self._lock:
                if seen.problem:  # what was known before is shown with it
                    seen = Seen(self._seen.records, self._seen.damaged, seen.problem)
                self._seen = seen
                # A look that failed may have waited long, and says nothing of what the next costs.
                self._due = now + (least if seen.problem else rest)
                self._running = None
            done.set()


def model_record(project: Project, name: str, version: int) -> ModelRecord | None:
    """Return the record of a version; None if there is none in the project.

    Args:
        project: The project.
        name: The model's name.
        version: The version.

    Raises:
        DamagedFileError: The record cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    if not is_inside(project, ModelPaths(name, version).record):
        return None
    return read_record(project, name, version)


def _read(project: Project) -> Seen:
    names = model_names(project)
    wanted = [
        (name, version)
        for name, versions in zip(
            names, in_parallel(lambda name: version_numbers(project, name), names), strict=True
        )
        for version in reversed(versions)
    ]
    found = read_versions(wanted, partial(model_record, project))
    return Seen(found.records, tuple(map(str, found.damaged)))
