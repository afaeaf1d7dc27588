"""A cluster that starts in the background, while the driver does other things.

The driver may end before it takes the cluster: then nothing of it stays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from typing import Generic, TypeVar

__all__ = ["EarlyCluster"]

T = TypeVar("T")


class EarlyCluster(Generic[T]):
    """Enters a context in a thread, and hands over what it yields.

    Args:
        opening: The context, such as that of
            :func:`~hopsml_flows.cluster.open_cluster.open_cluster`.

    Attributes:
        is_taken: Whether :meth:`taken` was entered, which can be done once.
    """

    def __init__(self, opening: AbstractContextManager[T]) -> None:
        self._opening = opening
        self._stack = ExitStack()
        self._opened: list[T] = []  # at most one
        self._error: BaseException | None = None
        self._is_unwanted = threading.Event()
        self.is_taken = False
        context = copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._open), name="hopsml-cluster-start", daemon=True
        )
        self._thread.start()

    @contextmanager
    def taken(self) -> Iterator[T]:
        """Wait for the cluster, and have it for the block.

        Raises:
            BaseException: What the start failed with.
        """
        self._thread.join()
        self.is_taken = True  # an interrupted wait leaves it to close()
        with self._stack:
            if self._error is not None:
                raise self._error
            yield self._opened[0]

    def close(self) -> None:
        """Wait for the end of the start, and close the cluster unless it was taken."""
        if not self.is_taken:
            self._is_unwanted.set()
            self._thread.join()
            self._stack.close()

    def _open(self) -> None:
        try:
            self._opened.append(self._stack.enter_context(self._opening))
        except BaseException as error:  # for the thread that takes the cluster
            self._error = error
        if self._is_unwanted.is_set():  # whoever waited may have been interrupted
            self._stack.close()
