"""Ends the processes that training functions started and left behind on this machine.

The children of a worker outlive it when it is killed. Worker processes have a mark in their
environment from their start, which all their descendants inherit. Orphans are found by it.
"""

from __future__ import annotations

import os

import psutil

__all__ = ["MARK", "end_orphans"]

MARK = "HOPSML_CLUSTER"
"""Environment variable that names the driver whose workers a process descends from."""

_TERMINATE_SECONDS = 2.0


def end_orphans(mark: str) -> int:
    """End the marked processes whose worker is gone.

    Their parent is neither marked nor this process, whose children the workers are.

    Args:
        mark: The value of the variable.

    Returns:
        The number of such processes.
    """
    os.environ.pop(MARK, None)  # the nanny of a restarted worker set it
    marked = _marked(mark)
    orphans = []
    for process in marked.values():
        try:
            parent = process.ppid()
        except psutil.Error:
            continue
        if parent not in marked and parent != os.getpid():
            orphans.append(process)
    return _end(orphans)


def _marked(mark: str) -> dict[int, psutil.Process]:
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found[process.pid] = process
        except (psutil.Error, OSError):  # it is gone, or another user's
            continue
    return found


def _end(found: list[psutil.Process]) -> int:
    for process in found:
        try:
            process.terminate()
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(found, timeout=_TERMINATE_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=_TERMINATE_SECONDS)
    return len(found)
