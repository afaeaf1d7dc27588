"""Worker processes of this machine's clusters, as the system shows them."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

__all__ = ["fork_servers", "running", "workers_of"]

_FORKED = "hopsml_flows.cluster.fork_program"
_SPAWNED = "spawn_main"


def fork_servers(parent: int | None = None) -> list[psutil.Process]:
    """The fork servers of a process, or of this one."""
    return running(_FORKED, psutil.Process(parent or os.getpid()).children())


def workers_of(parent: int | None = None) -> list[psutil.Process]:
    """Workers of a process, or of this one: those that it spawned, and forks of its fork server."""
    found = running(_SPAWNED, psutil.Process(parent or os.getpid()).children())
    for server in fork_servers(parent):
        with suppress(psutil.Error):  # just ended
            found += running(_FORKED, server.children())
    return found


def running(text: str, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of some processes whose command lines have a text, and which have not ended."""
    found = []
    for process in processes:
        with suppress(psutil.Error):  # just ended
            if text in " ".join(process.cmdline()):
                found.append(process)
    return found
