"""Tracebacks of this project's own errors, as a script prints them at its end, or a cell.

Between the user's call and the place where an error is raised lie dozens of frames of Prefect, Dask
and this project. They say nothing about the user's mistake, and push its message out of sight. So
what Python prints of such an error has the user's frames alone. Debuggers, loggers and handlers get
the whole traceback: only what is printed is shortened.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType, TracebackType

from hopsml_flows.errors import HopsmlError

__all__ = ["brief_in_ipython", "install", "users_traceback"]

_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

_NOT_USERS = frozenset(
    {
        "hopsml_flows", "hopsml_tasks",
        "prefect", "prefect_dask", "dask", "distributed", "tornado", "anyio", "pydantic",
        "IPython", "ipykernel",
        "asyncio", "concurrent", "contextlib", "functools", "importlib", "threading",
    }
)  # fmt: skip
"""Packages whose frames are left out."""

_RENDERED = "_render_traceback_"
"""The attribute by which an exception gives IPython the lines to print in place of its frames."""


def install() -> None:
    """Let Python print errors of this project with the user's frames alone.

    All other exceptions go to the hook that was there before. IPython prints exceptions of cells
    by itself, and keeps its hook.
    """
    if not isinstance(sys.excepthook, _ShortHook) and not _in_ipython():
        sys.excepthook = _ShortHook(sys.excepthook)


@contextmanager
def brief_in_ipython() -> Iterator[None]:
    """Let IPython print this project's errors that leave the block with the user's frames alone."""
    try:
        yield
    except HopsmlError as error:
        if _in_ipython():
            vars(error)[_RENDERED] = partial(_lines, error)
        raise


def users_traceback(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of libraries that lie between the user and an error.

    Args:
        trace: The traceback; it is not changed.

    Returns:
        The traceback of the user's frames; None if there is none.
    """
    frames: list[TracebackType] = []
    while trace is not None:
        if _is_users(trace.tb_frame):
            frames.append(trace)
        trace = trace.tb_next
    shown: TracebackType | None = None
    for frame in reversed(frames):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return shown


class _ShortHook:
    """An ``excepthook`` that shortens the tracebacks of this project's errors.

    Args:
        before: The hook that was there before; it prints.
    """

    def __init__(self, before: _Hook) -> None:
        self._before = before

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        shown = users_traceback(trace) if isinstance(error, HopsmlError) else None
        if shown is None:
            self._before(kind, error, trace)
            return
        with _shortened(error, shown):
            self._before(kind, error, shown)


@contextmanager
def _shortened(error: BaseException, shown: TracebackType) -> Iterator[None]:
    """Give an error and its causes short tracebacks during the block.

    An exception that only happened to be handled meanwhile is left out unless it is the user's.
    """
    with ExitStack() as stack:
        found: BaseException | None = error
        seen: set[int] = set()
        while found is not None and id(found) not in seen:
            seen.add(id(found))
            stack.callback(_restore, found, found.__traceback__, found.__suppress_context__)
            trace = found.__traceback__
            found.__traceback__ = shown if found is error else users_traceback(trace)
            cause = found.__cause__
            context = None if found.__suppress_context__ else found.__context__
            if context is not None and users_traceback(context.__traceback__) is None:
                found.__suppress_context__ = True
                context = None
            found = cause or context
        yield


def _lines(error: BaseException) -> list[str]:
    shown = users_traceback(error.__traceback__)
    if shown is None:
        return traceback.format_exception(error)
    with _shortened(error, shown):
        return "".join(traceback.format_exception(error)).splitlines()


def _restore(error: BaseException, trace: TracebackType | None, suppress: bool) -> None:
    error.__traceback__ = trace
    error.__suppress_context__ = suppress


def _is_users(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] not in _NOT_USERS


def _in_ipython() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return shell is not None and shell() is not None
