"""What a user reads who stops an experiment by Ctrl-C or by a notebook's interrupt: how to go on.

Python and IPython would print every frame between the user's call and the line that ran at that
moment, nearly all of them Prefect's or this package's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from types import TracebackType

from hopsml_flows.text import say

__all__ = ["experiment_begins", "explained_interrupts"]

_RENDERED = "_render_traceback_"
"""The attribute by which an exception gives IPython the lines to print in place of its frames."""

_begun: ContextVar[list[str] | None] = ContextVar("hopsml_begun", default=None)


def experiment_begins(experiment_id: str) -> None:
    """Note that from now on the experiment has a record, and can be resumed.

    Args:
        experiment_id: The experiment's identifier.
    """
    if (begun := _begun.get()) is not None:
        begun.append(experiment_id)


@contextmanager
def explained_interrupts() -> Iterator[None]:
    """Raise an interrupt of the block as one that says how to go on.

    It is a KeyboardInterrupt of Python's own class: only then does Python end the process by the
    signal, as shells expect it.
    """
    begun: list[str] = []
    token = _begun.set(begun)
    try:
        yield
    except KeyboardInterrupt as error:
        if _RENDERED in vars(error):
            raise
        raise _explained(begun) from None
    finally:
        _begun.reset(token)


def _explained(begun: list[str]) -> KeyboardInterrupt:
    if begun:
        text = f"Stopped. To go on: the same call with resume={begun[-1]!r}"
    else:
        text = "Stopped before the experiment began. To go on: the same call"
    stopped = KeyboardInterrupt(text)
    vars(stopped)[_RENDERED] = partial(list, (text,))
    _install_hook()
    return stopped


@cache  # once: a hook that the program puts above this one calls it
def _install_hook() -> None:
    """Let Python print an explained interrupt that ends the program as one line."""
    sys.excepthook = partial(_print_error, sys.excepthook)


def _print_error(
    otherwise: Callable[[type[BaseException], BaseException, TracebackType | None], object],
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    if isinstance(error, KeyboardInterrupt) and _RENDERED in vars(error):
        say(str(error), sys.stderr)
    else:
        otherwise(kind, error, trace)
