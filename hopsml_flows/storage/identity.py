"""Describes a process so that another process can tell whether it still runs."""

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
    """This process, so that it can be told from a later one of the same number."""
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
    }


def process_lives(process: Mapping[str, Any]) -> bool | None:
    """Whether a process that :func:`this_process` described still runs.

    Args:
        process: Its description.

    Returns:
        None where that cannot be known: it runs on another machine, or in another container.
    """
    if process.get("host") != socket.gethostname():
        return None
    # Two containers may have one name. Descriptions of older versions have no machine.
    if process.get("machine", _machine()) != _machine():
        return None
    pid, created = process.get("pid"), process.get("created")
    if not isinstance(pid, int) or not isinstance(created, (int, float)):
        return False
    try:
        found = psutil.Process(pid)
        # The time is counted from the boot time, which the clock's corrections move.
        same = abs(found.create_time() - created) < _CLOCK_SECONDS
        return same and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False


@cache
def _machine() -> str:
    """What tells machines and containers of the same name apart; "" where nothing does."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    return ""
