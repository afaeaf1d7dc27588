"""The ends of the logs of trials that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.service.logs.process_names import process_name
from hopsml_flows.service.web.handlers.trial_log import log_end, log_names
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.comparison import Compared
from hopsml_flows.storage.parallel_requests import REQUESTS, in_parallel

__all__ = ["ComparedLog", "compared_logs"]

_MOST = 1 << 15
"""Most bytes of a log that the page shows."""


@dataclass(frozen=True, slots=True)
class ComparedLog:
    """The end of a trial's log.

    Args:
        of: The trial.
        text: The text, or why it cannot be read; None if there is no log.
        is_cut: Whether the log begins before it.
        process: The process of a distributed trial that wrote it, or "".
    """

    of: Compared
    text: str | None
    is_cut: bool = False
    process: str = ""


def compared_logs(site: Site, columns: Sequence[Compared]) -> list[ComparedLog]:
    """Return the ends of the logs of trials; none if no trial has a log.

    Of a distributed trial it is the log of the first process.

    Args:
        site: The site.
        columns: What is compared; of an experiment it is the log of its best trial.
    """
    threads = 1 if site.project.local_root is not None else REQUESTS
    found = in_parallel(lambda each: _log(site, each), columns, threads=threads)
    return found if any(each.text is not None for each in found) else []


def _log(site: Site, of: Compared) -> ComparedLog:
    if of.trial is None:
        return ComparedLog(of, None)
    try:
        names = log_names(site, of.entry, of.trial)
        end = log_end(site, of.entry, of.trial, names[0] if names else "", _MOST)
    except Exception as error:  # each file system has its own; what can be compared is compared
        return ComparedLog(of, f"(This log cannot be read: {type(error).__name__}.)")
    process = process_name(names[0]) if names else ""
    return ComparedLog(of, end.text, end.begin > 0, process)
