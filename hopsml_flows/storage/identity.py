"""Descriptions of processes, from which another process can tell whether one still runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

__all__ = ["process_lives", "this_process"]

_CLOCK_SECONDS = 2.0


def this_process() -> dict[str, Any]:
    """Describe this process; a later process with the same number has another description."""
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
    }


def process_lives(process: Mapping[str, Any]) -> bool | None:
    """Tell whether a process still runs.

    Args:
        process: Its description, from :func:`this_process`.

    Returns:
        True or False; None if it runs on another machine or in another container, where this
        process cannot know.
    """
    if process.get("host") != socket.gethostname():
        return None
    # Two containers may have the same host name. Older versions described no machine.
    if process.get("machine", _machine()) != _machine():
        return None
    pid, created = process.get("pid"), process.get("created")
    if not isinstance(pid, int) or not isinstance(created, (int, float)):
        return False
    try:
        found = psutil.Process(pid)
        # psutil counts from the boot time, which moves when the clock is corrected.
        same = abs(found.create_time() - created) < _CLOCK_SECONDS
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:  # another user's, of which /proc hides all but that it is there
        return None
    except psutil.NoSuchProcess:
        return None if _is_hidden(pid) else False
    except (ValueError, OverflowError):
        return False


def _is_hidden(pid: int) -> bool:
    """Whether a process is there that ``/proc`` does not show, as with its option ``hidepid``."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _machine() -> str:
    """Return what tells machines and containers with the same host name apart; "" if unknown."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    return ""
