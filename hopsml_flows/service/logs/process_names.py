"""The processes of a distributed trial, as the names of its logs tell them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hopsml_flows.storage import is_log, process_of_log
from hopsml_flows.trials import Role

__all__ = ["logs_in_order", "process_name", "split_process"]

_ROLES = list(Role)
_NAMED = re.compile(rf"(?:(.*)/)?((?:{'|'.join(_ROLES)})-\d+)")


def process_name(log: str) -> str:
    """The process that a log is of, such as "worker-2"; "" where it is the trial's."""
    process = process_of_log(log)
    return f"{process[0]}-{process[1]}" if process else ""


def logs_in_order(names: Iterable[str]) -> list[str]:
    """The logs among the files of a trial's directory: its own, chief, workers, and so on."""

    def place(name: str) -> tuple[int, int]:
        process = process_of_log(name)
        return (_ROLES.index(Role(process[0])), process[1]) if process else (-1, 0)

    return sorted(filter(is_log, names), key=place)


def split_process(text: str) -> tuple[str, str]:
    """Split what the user typed for a process of a trial into the trial and the process.

    Args:
        text: Such as "0007-x=1/worker-2", as the task run is named, or "worker-2"; anything else
            is a trial.
    """
    matched = _NAMED.fullmatch(text)
    return (matched[1] or "", matched[2]) if matched else (text, "")
