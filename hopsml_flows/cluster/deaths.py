"""Finds out from Dask why a worker died, and when its task run began.

On clusters that this package starts on this machine, the nannies are in this process and know. On
others, the log of the worker's nanny says how the process ended, and the scheduler's events say if
the nanny ended it for its memory. Nothing is installed there.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import distributed

from hopsml_flows.cluster.nanny import exit_code
from hopsml_flows.execution.process.ending import described_end
from hopsml_flows.execution.process.memory import MORE_MEMORY, mib

__all__ = ["Beginning", "Death", "beginning", "log_beginning", "why_died"]

Beginning = dict[str, Any]
"""Where and when a task run began, as JSON has it."""

_TOPIC = "hopsml-beginnings"
"""Topic of the scheduler's events in which workers log what they begin; Dask limits its size."""

_MEMORY_TOPIC = "worker-restart-memory"
"""Dask's own topic: nannies log that they ended a worker for its memory."""

_OWN_SECONDS = 3.0
_OTHERS_SECONDS = 8.0
"""Longest wait for the nanny to know. Other clusters' nannies answer once a new worker is up."""

_PAUSE_SECONDS = 0.1
_LOG_LINES = 200
_ENDED = re.compile(
    r"Worker process (?P<pid>\d+) (?:was killed by signal (?P<signal>\d+)"
    r"|exited with status (?P<status>\d+)|was killed by unknown signal)"
)


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of the death of a worker.

    Args:
        reason: How it died, as a sentence without its full stop.
        began: When it began the task run in question, in seconds since the epoch; 0 if that is
            not known.
    """

    reason: str
    began: float = 0.0


def beginning(worker: Any, task_run_id: UUID) -> Beginning:
    """What :func:`why_died` needs to know of a task run that a worker begins now.

    Args:
        worker: The worker.
        task_run_id: The task run.
    """
    return {
        "task_run": str(task_run_id),
        "worker": worker.address,
        "pid": os.getpid(),
        "time": time.time(),
        "nanny": worker.nanny is not None,
        "memory_limit": worker.memory_manager.memory_limit,
    }


def log_beginning(worker: Any, told: Beginning) -> None:
    """Log on the scheduler that a worker begins a task run.

    Args:
        worker: The worker.
        told: What :func:`beginning` says.
    """
    worker.log_event(_TOPIC, told)


def why_died(
    client: distributed.Client,
    worker: str | None,
    task_run_id: UUID | None = None,
    *,
    owned: bool,
    marked: Beginning | None = None,
) -> Death:
    """Find out why a worker died. Waits for its nanny: up to 3 s, or 8 s if it is not owned.

    Args:
        client: A client of the cluster.
        worker: Address of the worker; None for the one that began the task run.
        task_run_id: A task run that it may have begun.
        owned: Whether the worker's nanny is in this process.
        marked: The beginning of the task run, if the scheduler was not told of it.

    Raises:
        OSError: The scheduler is gone.
    """
    entries: list[Beginning] = [entry for _, entry in client.get_events(_TOPIC)]
    if marked is not None:
        entries.append(marked)
    own = [entry for entry in entries if entry["task_run"] == str(task_run_id)]
    if worker is None:
        if not own:
            return Death("the worker process that began it died")
        worker = str(own[-1]["worker"])
    began = max((entry["time"] for entry in own if entry["worker"] == worker), default=0.0)
    entry = next((e for e in reversed(entries) if e["worker"] == worker), None)
    has_nanny = entry is None or entry["nanny"]
    deadline = time.monotonic() + (_OWN_SECONDS if owned else _OTHERS_SECONDS)
    while (how := _how(client, worker, entry, owned)) is None:
        if not has_nanny:
            how = "it has no nanny that could say how"
        elif time.monotonic() > deadline:
            how = "its nanny does not say how; its machine, job or pod may have ended"
        else:
            time.sleep(_PAUSE_SECONDS)
            continue
        break
    return Death(f"the worker process {worker} died: {how}", began)


def _how(
    client: distributed.Client, worker: str, entry: Beginning | None, owned: bool
) -> str | None:
    # Another cluster's worker may have the address of one that an own nanny remembers.
    code = exit_code(worker) if owned else None
    if code is not None:
        return f"it {described_end(code, memory=_limit(entry))}"
    for _, event in reversed(client.get_events(_MEMORY_TOPIC)):
        if event["worker"] == worker:
            limit = entry and entry["memory_limit"]
            of = f" of its memory limit ({mib(limit)})" if limit else " of its memory limit"
            return (
                f"Dask's nanny ended it: it held {mib(event['rss'])}, more than the share{of} that "
                f"is allowed (distributed.worker.memory.terminate); {MORE_MEMORY}"
            )
    return None if entry is None else _from_logs(client, entry)


def _from_logs(client: distributed.Client, entry: Beginning) -> str | None:
    """How a worker ended, as its nanny's log says; None if it does not."""
    logs: dict[str, Any] = {}
    with suppress(OSError, KeyError, TypeError):  # another worker is leaving
        logs = client.get_worker_logs(n=_LOG_LINES, nanny=True)
    for lines in logs.values():
        for _, text in lines if isinstance(lines, (list, tuple)) else ():
            found = _ENDED.search(text)
            if found is None or int(found["pid"]) != entry["pid"]:
                continue
            if found["signal"]:
                return f"it {described_end(-int(found['signal']), memory=_limit(entry))}"
            if found["status"]:
                return f"it {described_end(int(found['status']))}"
            return "it was ended by a signal that its nanny did not see"
    return None


def _limit(entry: Beginning | None) -> str:
    limit = entry and entry["memory_limit"]
    return f"memory_limit is {mib(limit)}" if limit else ""
