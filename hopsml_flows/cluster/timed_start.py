"""The start of a cluster on this machine, with a time limit.

Dask's nanny waits without limit for a worker process that has started and says nothing, for
example because an import or a file system hangs. Its own ``death_timeout`` does not end that wait.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any

from hopsml_flows.cluster.fork_server import give_up_fork_server
from hopsml_flows.errors import ResourceUnavailableError

__all__ = ["start_within"]

_AGAIN_SECONDS = 0.5
"""Time between two looks for worker processes that began after the time was up."""


def start_within(seconds: float, kind: type[Any], arguments: dict[str, Any]) -> Any:
    """Start a cluster; give up after a time.

    Args:
        seconds: Longest wait for its workers.
        kind: The class of the cluster, a subclass of ``distributed.SpecCluster``.
        arguments: Its keyword arguments.

    Raises:
        ResourceUnavailableError: The time is up. Nothing of the cluster is left.
    """
    given_up, ended = threading.Event(), threading.Event()

    class TimedStart(kind):  # type: ignore[misc]  # chosen at run time
        def __init__(self) -> None:
            timer = threading.Timer(seconds, self._give_up)
            timer.daemon = True
            timer.start()
            try:
                super().__init__(**arguments)
            finally:
                timer.cancel()
                ended.set()

        def _give_up(self) -> None:
            given_up.set()
            give_up_fork_server()
            while not ended.is_set():
                self._kill()
                ended.wait(_AGAIN_SECONDS)

        def _kill(self) -> None:
            # If a nanny's process ends, its start has failed, and the cluster closes itself.
            # Only this private set of SpecCluster has the nannies that are being started;
            # tests/integration/test_cluster_starts.py fails when that changes.
            for nanny in list(self._created):
                # The nanny's event loop may release the process meanwhile.
                with suppress(ProcessLookupError, AttributeError, ValueError):
                    if (pid := nanny.pid) is not None:
                        os.kill(pid, signal.SIGKILL)

    TimedStart.__name__ = TimedStart.__qualname__ = kind.__name__  # messages name it
    try:
        return TimedStart()
    except Exception as error:
        if not given_up.is_set():
            raise
        raise ResourceUnavailableError(
            f"the workers did not start within {seconds:g} s (the cluster's start_timeout)"
        ) from error
