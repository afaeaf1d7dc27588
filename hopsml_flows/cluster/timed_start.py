"""A cluster of this machine whose start is given up after a time.

Dask's nanny waits without limit for a worker process that has started and says nothing, be it that
an import hangs or a file system. Its own ``death_timeout`` does not end that wait.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any

from hopsml_flows.errors import ResourceUnavailableError

__all__ = ["started_within"]


def started_within(seconds: float, kind: type[Any], arguments: dict[str, Any]) -> Any:
    """Start a cluster.

    Args:
        seconds: How long its workers may take.
        kind: The class of the cluster, a subclass of ``distributed.SpecCluster``.
        arguments: Its keyword arguments.

    Raises:
        ResourceUnavailableError: They took longer. Nothing of the cluster is left.
    """
    given_up = threading.Event()

    class TimedStart(kind):  # type: ignore[misc]  # chosen at run time
        def __init__(self) -> None:
            timer = threading.Timer(seconds, self._give_up)
            timer.daemon = True
            timer.start()
            try:
                super().__init__(**arguments)
            finally:
                timer.cancel()

        def _give_up(self) -> None:
            given_up.set()
            # A nanny whose process ends has failed to start, and the cluster then closes itself.
            # The nannies that are being started are only in this private set of SpecCluster;
            # tests/integration/test_cluster_starts.py fails when that changes.
            for nanny in list(self._created):
                # The event loop may let go of the process meanwhile.
                with suppress(ProcessLookupError, AttributeError, ValueError):
                    if (pid := nanny.pid) is not None:
                        os.kill(pid, signal.SIGKILL)

    TimedStart.__name__ = TimedStart.__qualname__ = kind.__name__  # how the cluster calls itself
    try:
        return TimedStart()
    except Exception as error:
        if not given_up.is_set():
            raise
        raise ResourceUnavailableError(
            f"the workers did not start within {seconds:g} s (the cluster's start_timeout)"
        ) from error
