"""Finds out which experiments have changed on storage, and reads those.

One listing tells which experiments there are. On this machine's disk the files of each are looked
at as well, which costs microseconds. On remote storage a directory's time tells whether a file in
it was replaced; only what changed, what runs, and what was written so lately that the time may not
tell, costs requests. Stores without times of directories need two requests per experiment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.errors import DamagedFileError, StorageUnavailableError
from hopsml_flows.service.index.entries import (
    ExperimentEntry,
    SummaryEntries,
    is_gone,
    read_entry,
    read_trials,
)
from hopsml_flows.storage import EXPERIMENTS, ExperimentPaths, FileInfo, Project, process_lives
from hopsml_flows.storage.content_version import DOUBT_SECONDS, Version, content_version
from hopsml_flows.storage.parallel_requests import in_parallel
from hopsml_flows.storage.paths import lease_number
from hopsml_flows.storage.reading import LARGEST_RECORD, LARGEST_SUMMARY, content_of
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.storage.time_limit import within
from hopsml_flows.text import one_line
from hopsml_flows.trials import State, stamp_of

__all__ = ["Changed", "Known", "changed", "is_silent", "listed", "present"]

_BATCH = 64
"""Experiments that are read, and then written into the index, together."""

_SILENT_SECONDS = 600.0
"""A driver beats every ten seconds; clocks of machines differ by less than the rest."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the index knows about an experiment's files.

    Args:
        record: Version of the record; None without one.
        summary: Version of the summary; None without one.
        settled: Whether all later contents are certain to have other versions.
        modified: Time of the directory, or None.
        running: Whether the record says that the experiment runs, or is not there yet.
        gone: Whether the driver of a running experiment is gone: its process has ended on this
            machine, or it has given no sign of life for ten minutes on another one.
        driver: The driver of a running experiment, as its record describes it; None without one.
    """

    record: str | None
    summary: str | None
    settled: bool
    modified: float | None
    running: bool
    gone: bool = False
    driver: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """An experiment that was looked at, with what has changed.

    Args:
        id: Identifier.
        known: What is known about its files now.
        entry: What its record says; None if the record is the same as before.
        trials: What its summary says; None if the summary is the same as before.
    """

    id: str
    known: Known
    entry: ExperimentEntry | None
    trials: SummaryEntries | None


def listed(project: Project) -> dict[str, float | None]:
    """Return the experiments of a project, and the times of their directories. One request.

    Args:
        project: The project.

    Raises:
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    try:
        entries = persistently(lambda: project.entries(EXPERIMENTS), limit=answer_limit(project))
    except NotADirectoryError:
        return {}
    except Exception as error:  # each file system has its own errors
        raise _unavailable(project, error) from error
    return {name: entry.modified for entry in entries if (name := _experiment(entry))}


def present(project: Project, names: Sequence[str]) -> dict[str, float | None]:
    """Return those of some experiments that there are, without a listing. One request for each.

    Args:
        project: The project.
        names: Their identifiers.

    Raises:
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """

    def is_there(name: str) -> bool:
        root = ExperimentPaths(name).root
        return persistently(lambda: project.exists(root), limit=answer_limit(project))

    try:
        found = in_parallel(is_there, names)
    except Exception as error:  # each file system has its own errors
        raise _unavailable(project, error) from error
    return {name: None for name, there in zip(names, found, strict=True) if there}


def is_silent(project: Project, paths: ExperimentPaths, *, before: bool = False) -> bool:
    """Whether the driver of an experiment has given no sign of life for long, by this clock.

    One listing has the beats of all its leases: a driver whose lease was taken over leaves one with
    the next number. A driver without a lease, as of an older version, is never silent.

    Args:
        project: The project.
        paths: The experiment's paths.
        before: What to return if storage does not answer.
    """
    try:
        inside = within(answer_limit(project), lambda: project.entries(paths.root))
    except Exception:  # each file system has its own errors
        return before
    beats = [
        entry.modified
        for entry in inside
        if entry.modified is not None and _is_beat(entry.name.rpartition("/")[2])
    ]
    return bool(beats) and time.time() - max(beats) > _SILENT_SECONDS


def _is_beat(name: str) -> bool:
    return lease_number(name) is not None and lease_number(name, beats=False) is None


def changed(
    project: Project,
    now_there: Mapping[str, float | None],
    known: Mapping[str, Known],
    *,
    thorough: bool = True,
) -> Iterator[Sequence[Changed]]:
    """Look at the experiments that may have changed, and read what has.

    Args:
        project: The project.
        now_there: What :func:`listed` returned.
        known: What the index knows, by identifier.
        thorough: Whether to look at experiments that are over, too, on stores whose directories
            have no times, and at the beats of drivers on other machines.

    Yields:
        Experiments that the index does not know as they are, the newest first, in batches.
    """
    local = project.local_root is not None
    now = time.time()
    due = [
        name
        for name, modified in now_there.items()
        if local or _is_due(known.get(name), modified, now, thorough=thorough)
    ]
    due.sort(key=lambda name: stamp_of(name) or "", reverse=True)

    def look(name: str) -> Changed | None:
        return _look(project, name, now_there[name], known.get(name), thorough=thorough)

    for begin in range(0, len(due), _BATCH):
        batch = due[begin : begin + _BATCH]
        found = [look(name) for name in batch] if local else in_parallel(look, batch)
        if news := [each for each in found if each is not None]:
            yield news


def _unavailable(project: Project, error: Exception) -> StorageUnavailableError:
    words = one_line(project.without_secrets(str(error)))[:200]
    where = project.full(EXPERIMENTS)
    return StorageUnavailableError(f"{where} cannot be read ({type(error).__name__}: {words})")


def _experiment(entry: FileInfo) -> str:
    name = entry.name.rpartition("/")[2]
    return name if entry.is_directory and stamp_of(name) else ""


def _is_due(known: Known | None, modified: float | None, now: float, *, thorough: bool) -> bool:
    """Whether an experiment on remote storage may have changed."""
    if known is None or known.running or not known.settled:
        return True
    if modified is None:
        return thorough
    return modified != known.modified or now - modified < DOUBT_SECONDS


def _look(
    project: Project, name: str, modified: float | None, known: Known | None, *, thorough: bool
) -> Changed | None:
    paths = ExperimentPaths(name)
    record, entry = _read(
        project,
        paths.record,
        LARGEST_RECORD,
        None if known is None else known.record,
        known,
        _entry(name),
    )
    summary, trials = _read(
        project,
        paths.summary,
        LARGEST_SUMMARY,
        None if known is None else known.summary,
        known,
        _trials,
    )
    settled = (record is None or record.settled) and (summary is None or summary.settled)
    running = known is not None and known.running
    driver = None if known is None else known.driver
    if isinstance(entry, ExperimentEntry):
        running = entry.record is not None and entry.record.state is State.RUNNING
        driver = (entry.record.driver or None) if running and entry.record is not None else None
    gone = known is not None and known.gone
    # Silence lasts minutes, so that not each look asks for it.
    asks = known is None or thorough or (gone and entry is not None)
    now = Known(
        None if record is None else record.text,
        None if summary is None else summary.text,
        settled,
        modified,
        # An experiment that lacks a record may just be starting.
        running or record is None,
        driver is not None and _is_gone(project, paths, driver, before=gone, asks=asks),
        driver,
    )
    if now == known and entry is None and trials is None:
        return None
    return Changed(name, now, entry, trials)


def _is_gone(
    project: Project,
    paths: ExperimentPaths,
    driver: Mapping[str, Any],
    *,
    before: bool,
    asks: bool,
) -> bool:
    """Whether a running experiment's driver is gone.

    Args:
        project: The project.
        paths: The experiment's paths.
        driver: Its driver.
        before: What the index knows.
        asks: Whether to ask storage for beats, if this machine cannot tell.
    """
    lives = process_lives(driver)
    if lives is not None:
        return is_gone(lives, silent=False)
    return is_silent(project, paths, before=before) if asks else before


def _entry(name: str) -> Callable[[bytes | None, str | None], ExperimentEntry]:
    def read(content: bytes | None, refused: str | None) -> ExperimentEntry:
        return ExperimentEntry(name, None, refused) if refused else read_entry(name, content)

    return read


def _trials(content: bytes | None, refused: str | None) -> SummaryEntries:
    return SummaryEntries(refused) if refused else read_trials(content)


def _read(
    project: Project,
    path: str,
    most: int,
    before: str | None,
    known: Known | None,
    parse: Callable[[bytes | None, str | None], Any],
) -> tuple[Version | None, Any]:
    """Return the version of a file, and what it says if that may have changed.

    The version is taken before the content is read: if the file is replaced between the two, the
    next look finds another version.
    """
    version: Version | None
    try:
        version = persistently(lambda: content_version(project, path), limit=answer_limit(project))
    except (FileNotFoundError, NotADirectoryError):
        version = None
    except Exception as error:  # each file system has its own errors
        return Version("", settled=False), parse(None, _refusal(project, error))
    text = None if version is None else version.text
    if known is not None and known.settled and text == before:
        return version, None
    try:
        content = None if version is None else content_of(project, path, most, size=version.size)
    except DamagedFileError as error:
        return version, parse(None, error.reason)
    except StorageUnavailableError as error:
        return Version("", settled=False), parse(None, _refusal(project, error))
    if version is not None and content is None:  # it was removed meanwhile
        version = None
    return version, parse(content, None)


def _refusal(project: Project, error: Exception) -> str:
    return one_line(
        f"cannot be read ({type(error).__name__}: {project.without_secrets(str(error))})"
    )[:200]
