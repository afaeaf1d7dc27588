"""Keeps what was made of large files for as long as these stay as they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Kept"]

T = TypeVar("T")

_SHARE = 20
"""The time between two reads of a file that may be old is at least this many times that of one."""


@dataclass(slots=True)
class _Item:
    """What is known of one file."""

    version: Any = None
    value: Any = None
    due: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Kept(Generic[T]):
    """What was made of files, those that were asked for last. For several threads.

    Args:
        most: Most files of which it is kept.
        clock: A clock that never goes back.

    Example:
        >>> kept = Kept(most=2)
        >>> [kept.get("log", version, lambda: f"read at {version}") for version in (1, 1, 2)]
        ['read at 1', 'read at 1', 'read at 2']
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[Hashable, _Item] = {}

    def get(
        self, key: Hashable, version: Any, read: Callable[[], T], *, may_be_old: bool = False
    ) -> T:
        """Return what was made of a file, or make it: one caller does, and others wait for that.

        Args:
            key: The file.
            version: What changes with its content, such as size and time; not None.
            read: Makes it.
            may_be_old: Whether what was made of an earlier version will do for a while.
        """
        item = self._used(key)
        with item.lock:
            waits = may_be_old and item.version is not None and self._clock() < item.due
            if version != item.version and not waits:
                began = self._clock()
                item.value = read()
                item.version = version
                now = self._clock()
                item.due = now + _SHARE * (now - began)
            value: T = item.value
            return value

    def _used(self, key: Hashable) -> _Item:
        """Return what is known of a file, which from now on was asked for last."""
        with self._lock:
            item = self._items.pop(key, None) or _Item()
            self._items[key] = item
            for old in list(self._items)[: -self._most]:
                del self._items[old]
            return item
