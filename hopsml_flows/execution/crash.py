"""What a process that native code ends leaves in its trial's log: the stacks of its threads."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hopsml_flows.execution.output.streams import OutputLog

__all__ = ["stacks_on_crash"]


@contextmanager
def stacks_on_crash(log: OutputLog) -> Iterator[None]:
    """Write Python's stacks to a log where the process is ended by a fault, while the block runs.

    It is Python's ``faulthandler``, which training code may use for itself: what it enables counts
    until its trial is over.

    Args:
        log: The trial's log, which is open for longer.
    """
    was_enabled = faulthandler.is_enabled()  # by PYTHONFAULTHANDLER, say
    faulthandler.enable(file=log.descriptor, all_threads=True)
    try:
        yield
    finally:
        faulthandler.disable()
        if was_enabled:
            with suppress(Exception):  # there is no standard error
                faulthandler.enable(file=sys.__stderr__ or 2)
