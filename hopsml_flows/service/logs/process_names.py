"""Processes of a distributed trial, told from the names of their logs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hopsml_flows.storage import is_log, process_of_log
from hopsml_flows.trials import Role

__all__ = ["logs_in_order", "process_name", "split_process"]

_ROLES = list(Role)
_NAMED = re.compile(rf"(?:(.*)/)?((?:{'|'.join(_ROLES)})-\d+)")


def process_name(log: str) -> str:
    """Return the process that wrote a log, such as "worker-2"; "" for the trial's own log."""
    process = process_of_log(log)
    return f"{process[0]}-{process[1]}" if process else ""


def logs_in_order(names: Iterable[str]) -> list[str]:
    """Return the logs among a trial's files, sorted: its own log, chief, workers, and so on."""

    def place(name: str) -> tuple[int, int]:
        process = process_of_log(name)
        return (_ROLES.index(Role(process[0])), process[1]) if process else (-1, 0)

    return sorted(filter(is_log, names), key=place)


def split_process(text: str) -> tuple[str, str]:
    """Split what the user typed into a trial and a process; either is "" if missing.

    Args:
        text: A trial and a process, as in the task run's name "0007-x=1/worker-2"; or "worker-2"
            alone. Anything else is a trial.
    """
    matched = _NAMED.fullmatch(text)
    return (matched[1] or "", matched[2]) if matched else (text, "")
