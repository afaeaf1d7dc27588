"""The trials that run on this worker, and how to reach the function that each runs.

The driver calls :func:`instruct` on a worker. It runs in Dask's event loop, so it only passes the
instruction on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hopsml_flows.execution.report_link import Instruction

__all__ = ["addressed", "instruct"]

_lock = threading.Lock()
_reached: dict[tuple[str, int, int], Callable[[Instruction], None]] = {}


@contextmanager
def addressed(
    topic: str | None, number: int, attempt: int, reach: Callable[[Instruction], None]
) -> Iterator[None]:
    """Let instructions reach a trial, for the block.

    Args:
        topic: The topic of the experiment's reports; None if its driver gives no instructions.
        number: The trial's number.
        attempt: Its attempt.
        reach: Passes an instruction on, without waiting.
    """
    if topic is None:
        yield
        return
    key = (topic, number, attempt)
    with _lock:
        _reached[key] = reach
    try:
        yield
    finally:
        with _lock:
            _reached.pop(key, None)


def instruct(topic: str, instruction: Instruction) -> bool:
    """Pass an instruction on to a trial that runs on this worker.

    Args:
        topic: The topic of the experiment's reports.
        instruction: The instruction.

    Returns:
        Whether the trial runs here.
    """
    with _lock:
        reach = _reached.get((topic, instruction.number, instruction.attempt))
    if reach is None:
        return False
    reach(instruction)
    return True
