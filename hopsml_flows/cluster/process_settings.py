"""Settings of the whole process that experiments need while they run: who uses them is counted.

Dask's configuration and Python's loggers are one for a process, and experiments may overlap in it,
in threads of the user's. The first experiment to come sets them and the last one to leave puts them
back. What the user has changed meanwhile is the user's, and stays.
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
"""What Dask calls the directory that all its scratch directories are in."""

_path_lock = threading.Lock()
_path_users: list[object] = []
_path_before: list[str] = []

_HASH_SEED = "6640"
"""Dask's, for processes that have none."""


class Held(Generic[T]):
    """A setting that several users hold at once, each with a value of its own.

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
        """Hold the setting at a value for the block; the latest of several values counts.

        Args:
            value: The value.
        """
        token = object()
        with self._lock:
            if self._is_changed:  # by the user, whose value it will be again
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
        """Whether it is not what was written here last; without a user, nothing was."""
        return not self._written or self._read() != self._written[0]

    def _set(self, value: T) -> None:
        self._written = [value]
        self._write(value)


@contextmanager
def held_config(settings: Mapping[str, object]) -> Iterator[None]:
    """Hold entries of Dask's configuration.

    Args:
        settings: Their values, by name.
    """
    with ExitStack() as stack:
        for name, value in settings.items():
            stack.enter_context(_entry(name).at(value))
        yield


def held_level(logger: str, level: int) -> AbstractContextManager[None]:
    """Hold the level of a logger.

    Args:
        logger: Its name.
        level: The level.
    """
    return _level(logger).at(level)


def held_variable(name: str, value: str) -> AbstractContextManager[None]:
    """Hold an environment variable of this process.

    Args:
        name: Its name.
        value: Its value.
    """
    return _variable(name).at(value)


@contextmanager
def held_spawn_environment() -> Iterator[None]:
    """Hold what nannies write into the environment of their own process, and leave there.

    Numerical libraries that are loaded later, and programs that are started later, would keep one
    thread.
    """
    found: Mapping[str, object] = dask.config.get("distributed.nanny.pre-spawn-environ")
    # Dask's own rules: what is set already wins, and hashes are the same in all workers.
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
    """Hold the search path for modules, to which Dask's servers add directories of their own.

    They take them off again only where nothing was added in front meanwhile.
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
    """Hold the time for which a thread may keep the interpreter while others wait for it.

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
    return round(sys.getswitchinterval(), 6)  # Python keeps whole ones


_switch_interval = Held(_microseconds, sys.setswitchinterval)
