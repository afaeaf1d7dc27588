"""The ends of the logs of trials that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.service.logs.process_names import logs_in_order, process_name
from hopsml_flows.service.web.project_files import checked_path, file_end
from hopsml_flows.service.web.views.comparison import Compared
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.parallel_requests import REQUESTS, in_parallel
from hopsml_flows.text import readable

__all__ = ["ComparedLog", "compared_logs"]

_MOST = 1 << 15
"""Most bytes of a log that the page shows."""


@dataclass(frozen=True, slots=True)
class ComparedLog:
    """The end of a trial's log.

    Args:
        of: The trial.
        text: The text; None if there is no log.
        is_cut: Whether the log begins before it.
        process: The process of a distributed trial that wrote it, or "".
    """

    of: Compared
    text: str | None
    is_cut: bool = False
    process: str = ""


def compared_logs(project: Project, columns: Sequence[Compared]) -> list[ComparedLog]:
    """Return the ends of the logs of trials; none if no trial has a log.

    Of a distributed trial it is the log of the first process.

    Args:
        project: The project.
        columns: What is compared; of an experiment it is the log of its best trial.
    """
    threads = 1 if project.local_root is not None else REQUESTS
    found = in_parallel(lambda each: _log(project, each), columns, threads=threads)
    return found if any(each.text is not None for each in found) else []


def _log(project: Project, of: Compared) -> ComparedLog:
    trial, root = of.trial, ExperimentPaths(of.entry.id).root
    if trial is None:
        return ComparedLog(of, None)
    try:
        directory = checked_path(of.entry.id, trial.directory) if trial.directory else root
        names = logs_in_order(project.listdir(directory))
        if not names:
            return ComparedLog(of, None)
        path = checked_path(of.entry.id, f"{directory}/{names[0]}".removeprefix(f"{root}/"))
        content, start = file_end(project, path, _MOST)
    except (FileNotFoundError, NotADirectoryError):
        return ComparedLog(of, None)
    text = readable(content.decode(errors="backslashreplace"))
    return ComparedLog(of, text, start > 0, process_name(names[0]))
