"""Write the stacks of all threads to a trial's log when native code crashes the process."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hopsml_flows.execution.output.streams import OutputLog

__all__ = ["stacks_on_crash"]


@contextmanager
def stacks_on_crash(log: OutputLog) -> Iterator[None]:
    """Write Python's stacks to a log if the process crashes during the block.

    This uses Python's ``faulthandler``. If training code enables it differently, that holds until
    the trial is over.

    Args:
        log: The trial's log; it must stay open longer than the block.
    """
    was_enabled = faulthandler.is_enabled()  # for example by PYTHONFAULTHANDLER
    faulthandler.enable(file=log.descriptor, all_threads=True)
    try:
        yield
    finally:
        faulthandler.disable()
        if was_enabled:
            with suppress(Exception):  # there is no standard error
                faulthandler.enable(file=sys.__stderr__ or 2)
