"""Ending the processes that a trial's training function started and left behind.

A worker that is killed takes none of its children along. Worker processes carry a mark in their
environment from their start on, and so does what they start or fork; on this machine such processes
can be found by it.
"""

from __future__ import annotations

import os

import psutil

__all__ = ["MARK", "end_orphans"]

MARK = "HOPSML_CLUSTER"
"""Environment variable that names the driver whose workers a process comes from."""

_TERMINATE_SECONDS = 2.0


def end_orphans(mark: str) -> int:
    """End the marked processes whose worker is gone: those with no marked ancestor or driver.

    Args:
        mark: The value of the variable.

    Returns:
        How many there were.
    """
    os.environ.pop(MARK, None)  # a restarted worker's nanny put it there
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
        except (psutil.Error, OSError):  # gone, or somebody else's
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
