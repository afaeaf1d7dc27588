"""The logs of a trial, as far as its page needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.service.logs.process_names import logs_in_order
from hopsml_flows.service.web.handlers.trial_directory import has_directory
from hopsml_flows.service.web.project_files import checked_path, file_end, file_info, file_part
from hopsml_flows.service.web.site import Site
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.storage.parallel_requests import REQUESTS, in_parallel
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.text import readable
from hopsml_flows.trials import State, TrialResult
from hopsml_flows.trials.logged_attempts import LoggedAttempt, logged_attempts

__all__ = ["LOG_PART", "LogEnd", "attempts_logged", "below", "log_end", "log_names", "log_text"]

LOG_PART = 1 << 18
"""Most bytes of a log that one answer has."""

_WHOLE = 1 << 22
"""Most bytes of a log that are read to find the attempts; of a longer one both ends are."""

_MOST_LOGS = 16
"""Most logs of a distributed trial in which its traceback is looked for."""


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The end of a log, as a page shows it.

    Args:
        text: The end; None if there is no log.
        begin: The byte of the log at which it begins.
        end: The byte at which it ends.
    """

    text: str | None = None
    begin: int = 0
    end: int = 0


def log_names(site: Site, entry: ExperimentEntry, result: TrialResult) -> list[str]:
    """Return the names of a trial's logs, that of the process which leads first.

    Args:
        site: The site.
        entry: The trial's experiment.
        result: The trial.
    """
    if not has_directory(entry, result):
        return []
    directory, project = ExperimentPaths(entry.id).trial(result.directory), site.project
    try:
        names = persistently(lambda: project.listdir(directory), limit=answer_limit(project))
    except NotADirectoryError:
        return []
    return list(logs_in_order(names))


def log_end(
    site: Site, entry: ExperimentEntry, result: TrialResult, name: str, most: int = LOG_PART
) -> LogEnd:
    """Return the end of a log, from the beginning of a line on.

    Args:
        site: The site.
        entry: The trial's experiment.
        result: The trial.
        name: The log; "" for none.
        most: Most bytes of it.
    """
    if not name:
        return LogEnd()
    try:
        path = checked_path(entry.id, below(result.directory, name))
        content, start = file_end(site.project, path, most)
    except FileNotFoundError:
        return LogEnd()
    return LogEnd(log_text(content), start, start + len(content))


def attempts_logged(
    site: Site, entry: ExperimentEntry, result: TrialResult, names: Sequence[str]
) -> tuple[list[LoggedAttempt], str]:
    """Return the attempts at a trial, and the traceback of one that failed, whole.

    Args:
        site: The site.
        entry: The trial's experiment.
        result: The trial.
        names: Its logs.
    """
    kind = result.failure.kind if result.failure else ""
    read = names[: _MOST_LOGS if kind else 1]
    threads = 1 if site.project.local_root is not None else REQUESTS
    found = in_parallel(lambda name: _attempts(site, entry, result, name), read, threads=threads)
    told = (attempts[-1].traceback(kind) for attempts in found if kind and attempts)
    return (found[0] if found else []), next(filter(None, told), "")


def log_text(content: bytes) -> str:
    """Return what a page shows of a log.

    Args:
        content: A part of the log.
    """
    return readable(content.decode(errors="backslashreplace"))


def below(directory: str, name: str) -> str:
    """Return the path of a trial's file, relative to the experiment's directory.

    Args:
        directory: The trial's directory, "" for the experiment's own.
        name: The file.
    """
    return f"{directory}/{name}" if directory else name


def _attempts(
    site: Site, entry: ExperimentEntry, result: TrialResult, name: str
) -> list[LoggedAttempt]:
    try:
        path = checked_path(entry.id, below(result.directory, name))
        info = file_info(site.project, path)
        return site.attempts.get(
            path,
            (info.size, info.modified),
            lambda: logged_attempts(_whole_text(site, path, info.size)),
            may_be_old=result.state is State.RUNNING,
        )
    except FileNotFoundError:
        return []


def _whole_text(site: Site, path: str, length: int) -> str:
    """A log without carriage returns and the like; of a very long one the beginning and the end."""
    if length <= _WHOLE:
        return log_text(file_part(site.project, path, 0, length))
    first = file_part(site.project, path, 0, LOG_PART)
    last = file_part(site.project, path, length - _WHOLE + LOG_PART, length)
    return log_text(first[: first.rfind(b"\n") + 1] + last[last.find(b"\n") + 1 :])
