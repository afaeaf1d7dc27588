"""Where in the user's own code an exception arose.

Only the training process can tell: tracebacks do not travel between processes. The user's code is
all that is neither installed, nor Python's own, nor this project's.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["definition_place", "fault_place", "is_users_file"]

_INSTALLED = {"site-packages", "dist-packages"}
_TYPED_IN = ("<stdin>", "<ipython-input-", "<python-input-", "<input>")
"""How the names of what is typed at a prompt begin. Other names in angle brackets are of code that
libraries generate."""


def fault_place(error: BaseException) -> str:
    """The line of the user's own code from which an exception came, deepest in its traceback.

    Args:
        error: The exception, with its traceback.

    Returns:
        ``file:line``, or "" if the traceback has no code of the user's.
    """
    if isinstance(error, SyntaxError) and error.filename and is_users_file(error.filename):
        return _text(error.filename, error.lineno or 1)  # of a module that was being imported
    place = ""
    frame = error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if is_users_file(file):
            place = _text(file, frame.tb_lineno)
        frame = frame.tb_next
    return place


def definition_place(function: Callable[..., Any]) -> str:
    """The line in which a function of the user's own code begins.

    Args:
        function: A function, or an object that wraps one.

    Returns:
        ``file:line``, or "" if the function is not the user's own code.
    """
    while isinstance(function, functools.partial):
        function = function.func
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(inner.__call__, "__code__", None)
    if code is None or not is_users_file(code.co_filename):
        return ""
    return _text(code.co_filename, code.co_firstlineno)


def is_users_file(file: str) -> bool:
    """Whether a file's code is the user's own.

    Args:
        file: The name that the code has for its file.
    """
    if file.startswith("<"):
        return file.startswith(_TYPED_IN)
    if _INSTALLED.intersection(Path(file).parts):
        return False
    return not file.startswith(_not_users())


@functools.cache
def _not_users() -> tuple[str, ...]:
    """Directories of Python's own code and of this project's packages, each with a separator."""
    own = Path(__file__).resolve().parents[1]
    directories = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(own)]
    tasks = sys.modules.get("hopsml_tasks")
    directories += list(tasks.__path__) if tasks is not None else []
    named = [directory for directory in directories if directory]
    both = {*named, *(os.path.realpath(directory) for directory in named)}
    # Where the project is installed from a checkout, its packages may lie behind a link.
    both.add(str(Path(__file__).parents[1]))
    return tuple(f"{directory}{os.sep}" for directory in sorted(both))


def _text(file: str, line: int) -> str:
    return f"{file}:{line}"
