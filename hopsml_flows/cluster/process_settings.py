"""Settings of the whole process that experiments hold while they run.

Dask's configuration and Python's loggers exist once per process, and experiments may overlap in
threads of the user's. The first experiment sets a value, and the last one restores the old value.
A value that the user has changed meanwhile stays.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any, Generic, TypeVar

import dask

__all__ = [
    "Held",
    "held_config",
    "held_level",
    "held_search_path",
    "held_spawn_environment",
    "held_switch_interval",
    "held_variable",
]

T = TypeVar("T")

_MISSING = object()

_SCRATCH = "dask-scratch-space"
"""Dask's name for the directory that contains its scratch directories."""

_path_lock = threading.Lock()
_path_users: list[object] = []
_path_before: list[str] = []

_HASH_SEED = "6640"
"""The value that Dask sets in processes that have none."""


class Held(Generic[T]):
    """A setting that several holders may hold at once, each at its own value.

    Args:
        read: Reads it.
        write: Sets it.
    """

    def __init__(self, read: Callable[[], T], write: Callable[[T], object]) -> None:
        self._read = read
        self._write = write
        self._lock = threading.Lock()
        self._wanted: list[tuple[object, T]] = []
        self._before: list[T] = []  # at most one
        self._written: list[T] = []

    @contextmanager
    def at(self, value: T) -> Iterator[None]:
        """Hold the setting at a value for the block. Of several values the latest holds.

        Args:
            value: The value.
        """
        token = object()
        with self._lock:
            if self._is_changed:  # by the user; this value is restored later
                self._before = [self._read()]
            self._wanted.append((token, value))
            self._set(value)
        try:
            yield
        finally:
            with self._lock:
                self._wanted = [wanted for wanted in self._wanted if wanted[0] is not token]
                is_changed = self._is_changed
                if self._wanted:
                    if not is_changed:
                        self._set(self._wanted[-1][1])
                else:
                    if not is_changed:
                        self._write(self._before[0])
                    self._before, self._written = [], []

    @property
    def _is_changed(self) -> bool:
        """Whether the setting is not what was written here last. True if nothing was written."""
        return not self._written or self._read() != self._written[0]

    def _set(self, value: T) -> None:
        self._written = [value]
        self._write(value)


@contextmanager
def held_config(settings: Mapping[str, object]) -> Iterator[None]:
    """Hold entries of Dask's configuration for the block.

    Args:
        settings: Their values, by name.
    """
    with ExitStack() as stack:
        for name, value in settings.items():
            stack.enter_context(_entry(name).at(value))
        yield


def held_level(logger: str, level: int) -> AbstractContextManager[None]:
    """Hold the level of a logger for the block.

    Args:
        logger: Its name.
        level: The level.
    """
    return _level(logger).at(level)


def held_variable(name: str, value: str) -> AbstractContextManager[None]:
    """Hold an environment variable of this process for the block.

    Args:
        name: Its name.
        value: Its value.
    """
    return _variable(name).at(value)


@contextmanager
def held_spawn_environment() -> Iterator[None]:
    """Hold the environment variables that nannies write into their own process.

    Nannies do not remove them. Numerical libraries that this process loads later, and programs
    that it starts later, would be limited to one thread.
    """
    found: Mapping[str, object] = dask.config.get("distributed.nanny.pre-spawn-environ")
    # Dask's own rules: a variable that is set wins, and all workers have the same hash seed.
    values = {
        name: os.environ.get(name, str(value)) for name, value in found.items() if value is not None
    }
    if values.get("PYTHONHASHSEED", "0") == "0":
        values["PYTHONHASHSEED"] = _HASH_SEED
    with ExitStack() as stack:
        for name, value in values.items():
            stack.enter_context(held_variable(name, value))
        yield


@contextmanager
def held_search_path() -> Iterator[None]:
    """Hold the search path for modules, to which Dask's servers add their scratch directories.

    The servers remove them only if nothing was added in front of them meanwhile.
    """
    with _path_lock:
        if not _path_users:
            _path_before[:] = sys.path
        _path_users.append(token := object())
    try:
        yield
    finally:
        with _path_lock:
            _path_users.remove(token)
            if not _path_users:
                left = {entry for entry in sys.path if _SCRATCH in entry}.difference(_path_before)
                sys.path[:] = [entry for entry in sys.path if entry not in left]


def held_switch_interval(seconds: float) -> AbstractContextManager[None]:
    """Hold, for the block, how long a thread may keep the interpreter while others wait.

    Args:
        seconds: The time.
    """
    return _switch_interval.at(seconds)


@cache
def _entry(name: str) -> Held[Any]:
    def write(value: object) -> None:
        if value is _MISSING:
            dask.config.pop(name, None)
        else:
            dask.config.set({name: value})

    return Held(lambda: dask.config.get(name, _MISSING), write)


@cache
def _variable(name: str) -> Held[str | None]:
    def write(value: str | None) -> None:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

    return Held(lambda: os.environ.get(name), write)


@cache
def _level(logger: str) -> Held[int]:
    found = logging.getLogger(logger)
    return Held(lambda: found.level, found.setLevel)


def _microseconds() -> float:
    return round(sys.getswitchinterval(), 6)  # Python stores whole microseconds


_switch_interval = Held(_microseconds, sys.setswitchinterval)
