"""A Dask client that says that its scheduler is gone, whichever call finds it out.

Dask's own client closes itself when it cannot reach its scheduler again. From then on its calls end
with ``AttributeError``, ``KeyError`` or ``ClosedClientError``, whatever they meet first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import distributed

__all__ = ["SchedulerClient", "raise_if_gone"]

_CLOSED = ("closing", "closed")
"""Dask's names for the states of a client that will not reach its scheduler again."""

_GONE = "the Dask scheduler is gone"


def raise_if_gone(client: distributed.Client) -> None:
    """Raise an error if a client will not reach its scheduler any more.

    Dask drops what is submitted to a client that is closing, without a word.

    Args:
        client: The client.

    Raises:
        ConnectionError: It is closed, or closing.
    """
    if client.status in _CLOSED:
        raise ConnectionError(_GONE)


def _raising_if_gone(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a client's method raise ``ConnectionError`` once the client is closed."""

    @wraps(call)
    def raising(self: SchedulerClient, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(self, *args, **kwargs)
        except OSError:
            raise
        except Exception as error:
            if self.status not in _CLOSED:
                raise
            raise ConnectionError(_GONE) from error

    return raising


class SchedulerClient(distributed.Client):
    """A Dask client whose calls raise ``ConnectionError`` once its scheduler is gone.

    Args:
        address: The scheduler's address, or a Dask cluster.
        **options: As for ``distributed.Client``. It never becomes Dask's default client.

    Example:
        >>> from distributed import LocalCluster
        >>> with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        ...     client = SchedulerClient(cluster)
        ...     client.close()
        ...     try:
        ...         client.nthreads()
        ...     except ConnectionError as error:
        ...         print(error)
        the Dask scheduler is gone
    """

    def __init__(self, address: object, **options: Any) -> None:
        super().__init__(address, set_as_default=False, **options)  # type: ignore[no-untyped-call]

    # Most calls come to ``sync``; these others fail before it, or do not use it.
    sync = _raising_if_gone(distributed.Client.sync)
    submit = _raising_if_gone(distributed.Client.submit)
    nthreads = _raising_if_gone(distributed.Client.nthreads)
    processing = _raising_if_gone(distributed.Client.processing)
    get_events = _raising_if_gone(distributed.Client.get_events)
    get_worker_logs = _raising_if_gone(distributed.Client.get_worker_logs)
    subscribe_topic = _raising_if_gone(distributed.Client.subscribe_topic)
    unsubscribe_topic = _raising_if_gone(distributed.Client.unsubscribe_topic)

    def scheduler_info(self, *args: Any, **kwargs: Any) -> Any:
        """What the scheduler knows of itself and its workers, as ``distributed.Client`` has it.

        Raises:
            ConnectionError: The scheduler is gone.
        """
        found = super().scheduler_info(*args, **kwargs)
        if not found:
            raise_if_gone(self)
        return found
