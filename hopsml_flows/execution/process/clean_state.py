"""A clean state for each trial of a process that runs several, one after the other.

Such a process keeps the modules that its trials import. After each trial it puts back what the
training function changed besides: environment, search path, logging, signal handlers and more.
State in modules, in C libraries and on GPUs is not put back; for that, each trial can have a fresh
process (``isolation="process"``).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # typeshed lacks it
import faulthandler
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["put_back", "short_of_descriptors"]

_Undo = Callable[[], object]

_LEFT_OVER = 32
"""Free descriptors that another trial needs at least."""


@contextmanager
def put_back(*, of_driver: bool = False) -> Iterator[list[str]]:
    """Put back, after the block, what the block changed in the process.

    Args:
        of_driver: Whether the process is the driver. If so, what debuggers set stays, and the
            state of random numbers is put back too.

    Yields:
        A list that gets, after the block, a text for each thing that cannot be put back.
    """
    left: list[str] = []

    def attempt(undo: _Undo) -> None:
        try:
            undo()
        except Exception as error:  # all else is put back even if one thing cannot be
            left.append(str(error))

    with ExitStack() as stack:
        for remember in _OF_DRIVER if of_driver else _REMEMBERED:
            stack.callback(attempt, remember())
        yield left


def _environment() -> _Undo:
    before = dict(os.environb)  # decoding it would double the cost

    def undo() -> None:
        now = dict(os.environb)
        if now != before:
            for name in now.keys() - before.keys():
                del os.environb[name]
            os.environb.update(before)

    return undo


def _interpreter() -> _Undo:
    path, arguments, limit = list(sys.path), list(sys.argv), sys.getrecursionlimit()
    hooks = sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook
    switch = sys.getswitchinterval()

    def undo() -> None:
        sys.path[:], sys.argv[:] = path, arguments
        sys.setrecursionlimit(limit)
        sys.setswitchinterval(switch)
        sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook = hooks

    return undo


def _tracing() -> _Undo:
    trace, profile = sys.gettrace(), sys.getprofile()

    def undo() -> None:
        sys.settrace(trace)
        sys.setprofile(profile)

    return undo


def _random() -> _Undo:
    numpy = sys.modules.get("numpy")
    state, of_numpy = random.getstate(), numpy.random.get_state() if numpy else None

    def undo() -> None:
        random.setstate(state)
        if numpy is not None:
            numpy.random.set_state(of_numpy)

    return undo


def _mask() -> _Undo:
    before = os.umask(0o077)
    os.umask(before)
    return lambda: os.umask(before)


_NUMBERS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

_OF_FAULTS = {signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL}
"""Signals of faults, which cannot be registered with ``faulthandler``."""


def _signals() -> _Undo:
    # `signal` makes an enum of each answer, at twenty times the cost.
    before = {number: _signal.getsignal(number) for number in _NUMBERS}
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    set_before = {timer: signal.getitimer(timer) for timer in timers}

    def undo() -> None:
        for timer, setting in set_before.items():
            signal.setitimer(timer, *setting)
        for number, handler in before.items():
            if handler is not None and _signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return undo


def _faults() -> _Undo:
    """Signals on which ``faulthandler`` writes stacks; ``signal`` does not know these handlers."""

    def undo() -> None:
        faulthandler.cancel_dump_traceback_later()
        for number in _NUMBERS:
            if number not in _OF_FAULTS:
                faulthandler.unregister(number)

    return undo


_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def _limits() -> _Undo:
    before = {kind: resource.getrlimit(kind) for kind in _LIMITS}

    def undo() -> None:
        for kind, limits in before.items():
            if resource.getrlimit(kind) != limits:
                try:
                    resource.setrlimit(kind, limits)
                except (ValueError, OSError) as error:
                    raise RuntimeError("a lowered limit of resources cannot be raised") from error

    return undo


def _sockets() -> _Undo:
    before = socket.getdefaulttimeout()
    return lambda: socket.setdefaulttimeout(before)


def _language() -> _Undo:
    before = locale.setlocale(locale.LC_ALL)

    def undo() -> None:
        if locale.setlocale(locale.LC_ALL) != before:
            locale.setlocale(locale.LC_ALL, before)

    return undo


def _logging() -> _Undo:
    manager = logging.root.manager
    disabled = manager.disable
    before = {name: _of_logger(found) for name, found in _loggers()}

    def undo() -> None:
        manager.disable = disabled
        for name, logger in _loggers():
            kept = before.get(name)
            if kept is None:
                logger.disabled = False
                if not _is_of_module(name):  # the trial's logger: its handlers write to its log
                    _remove_handlers(logger)
            elif _of_logger(logger) != kept:
                level, logger.propagate, logger.disabled, handlers, filters = kept
                logger.setLevel(level)
                logger.handlers[:], logger.filters[:] = handlers, filters

    return undo


def _is_of_module(logger: str) -> bool:
    """Whether a logger belongs to an imported module, which configures it only once."""
    return logger in sys.modules and logger != "__main__"


def _remove_handlers(logger: logging.Logger) -> None:
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        if isinstance(handler, logging.FileHandler):
            handler.close()


def _loggers() -> list[tuple[str, logging.Logger]]:
    named = logging.root.manager.loggerDict.copy().items()
    return [(name, found) for name, found in named if isinstance(found, logging.Logger)]


def _of_logger(logger: logging.Logger) -> tuple[int, bool, bool, list[Any], list[Any]]:
    handlers, filters = list(logger.handlers), list(logger.filters)
    return logger.level, logger.propagate, logger.disabled, handlers, filters


def _numpy() -> _Undo:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return lambda: None
    errors, printing = numpy.geterr(), numpy.get_printoptions()

    def undo() -> None:
        numpy.seterr(**errors)
        if numpy.get_printoptions() != printing:
            numpy.set_printoptions(**printing)

    return undo


_REMEMBERED: tuple[Callable[[], _Undo], ...] = (
    _environment,
    _interpreter,
    _tracing,
    _mask,
    _faults,
    _signals,
    _limits,
    _sockets,
    _language,
    _logging,
    _numpy,
)


_OF_DRIVER = (*(one for one in _REMEMBERED if one not in (_tracing, _faults)), _random)
"""Leaves tracing and ``faulthandler`` alone: the program or its debugger has set them."""


def short_of_descriptors() -> str:
    """Why the process has too few descriptors for another trial; "" if it has enough."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # Linux from 6.2 on has their number there, elsewhere it is 0.
        open_now = os.stat("/dev/fd/").st_size or len(os.listdir("/dev/fd"))
    except OSError as error:
        return f"its descriptors cannot be counted ({error.strerror})"
    if open_now + _LEFT_OVER > limit or open_now > limit // 2:
        return f"{open_now} of its {limit} descriptors are open"
    return ""
