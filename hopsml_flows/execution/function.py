"""Find the training function and its import string.

A training function is given as a callable, a Prefect task, or an import string. Here it gets both
an import string (which a Prefect run form stores) and a callable (which runs). This module does
not know trials or storage. It never imports Prefect: it recognises a task by its attributes.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from hopsml_flows.errors import FunctionNotFoundError, InvalidFunctionError

if TYPE_CHECKING:
    from collections.abc import Callable
from hopsml_flows.text import unicode_text
from hopsml_flows.trials import UNNAMED

__all__ = [
    "LOADED_PREFIX",
    "TrainingFunction",
    "check_not_loading",
    "import_string",
    "imported",
    "is_loaded_from_file",
    "loading_for",
    "starts_experiment",
]

_FORM = "must be 'package.module:name' or 'path/file.py:name'"

_STARTS_NOTHING = (
    "must be in a file that starts nothing when it is imported: put what starts an "
    'experiment there under `if __name__ == "__main__":`'
)


class TrainingFunction(str):
    """The import string of a training function, together with the function itself.

    As a string, it can be stored by Prefect as the flow's parameter. As it carries the callable, it
    also works for functions that cannot be imported (notebooks, closures, lambdas).

    Args:
        train: A callable, a Prefect task, an import string, or a ``TrainingFunction``.

    Raises:
        InvalidFunctionError: It is none of these.
        FunctionNotFoundError: Nothing has this import string; the message says which part fails.
    """

    __slots__ = ("callable",)

    callable: Callable[..., Any]

    def __new__(cls, train: object) -> TrainingFunction:
        """Find the function and name it."""
        if isinstance(train, TrainingFunction):
            return train
        if isinstance(train, str):
            function = _import(train)
            text = train
        else:
            function = _function_of(train)
            text = import_string(function)
        self = super().__new__(cls, unicode_text(text))  # its path may not be valid UTF-8
        self.callable = function
        return self

    @classmethod
    def named(cls, text: str, function: Callable[..., Any]) -> TrainingFunction:
        """Return a function under an import string by which it need not be found any more.

        Args:
            text: The import string.
            function: The function.
        """
        self = super().__new__(cls, unicode_text(text))
        self.callable = function
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Prefect's parameters carry the name only: the function is packed separately.
        return str, (str(self),)

    @property
    def name(self) -> str:
        """The function's own name, after which an experiment without a name is called.

        It is the last part of the import string. That is the ``__name__`` of a function, also of a
        Prefect task's or a partial's, and the class of a callable object. A lambda has no name.
        """
        last = self.rpartition(":")[2].rpartition(".")[2]
        return UNNAMED if "<" in last else last

    @property
    def source_file(self) -> Path | None:
        """The function's source file, or None."""
        inner = inspect.unwrap(_innermost(self.callable))
        target = inner if inspect.isroutine(inner) or inspect.isclass(inner) else type(inner)
        try:
            file = inspect.getsourcefile(target)
        except (TypeError, OSError):  # built in, or typed at a prompt
            return None
        return Path(file) if file and Path(file).is_file() else None


def check_not_loading() -> None:
    """Refuse to start an experiment while a module is being loaded for its training function.

    HopsML programs call a verb at their top level. Loading such a program for its training
    function would start its experiment again.

    Raises:
        FunctionNotFoundError: A module is being loaded.
    """
    if text := _loading.get():
        raise FunctionNotFoundError("train", text, _STARTS_NOTHING)


def starts_experiment(error: BaseException) -> bool:
    """Whether an error says that a module which is being loaded starts an experiment.

    Args:
        error: What its loading raised.
    """
    return isinstance(error, FunctionNotFoundError) and error.must == _STARTS_NOTHING


LOADED_PREFIX = "hopsml_loaded_"
"""Prefix of the names of modules that are loaded from a file here."""

_LOADED = (LOADED_PREFIX, "__prefect_loader_")
"""Prefixes of the names of modules loaded from a file, here or by Prefect for a deployment's flow.
Other processes cannot import these by name."""


def is_loaded_from_file(module: str) -> bool:
    """Whether a module's name says that it was loaded from a path: it cannot be imported by name.

    Args:
        module: The module's name.
    """
    return module.startswith(_LOADED)


_loading: ContextVar[str | None] = ContextVar("hopsml_loading", default=None)


@contextmanager
def loading_for(text: str) -> Iterator[None]:
    """Refuse to start experiments within: a module is being loaded.

    Args:
        text: The import string of the function that it is loaded for.
    """
    token = _loading.set(text)
    try:
        yield
    finally:
        _loading.reset(token)


def _function_of(train: Any) -> Callable[..., Any]:
    if hasattr(train, "task_key") and callable(getattr(train, "fn", None)):
        function: Callable[..., Any] = train.fn
        return function
    if inspect.isclass(train) or not callable(train):
        raise InvalidFunctionError(
            "train", train, "must be a function, a Prefect task, or an import string"
        )
    return cast("Callable[..., Any]", train)


def imported(argument: str, text: str) -> Any:
    """Return what an import string names.

    Args:
        argument: The argument that has the string, for errors.
        text: 'package.module:name' or 'path/file.py:name'.

    Raises:
        FunctionNotFoundError: Nothing has this import string; the message says which part fails.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise FunctionNotFoundError(argument, text, _FORM)
    if "<" in name:  # <locals>, <lambda>
        raise FunctionNotFoundError(
            argument, text, _FORM + ", and name a function at the top level of its module"
        )
    try:
        with loading_for(text):
            is_file = place.endswith(".py")
            module = _load_file(text, place) if is_file else _import_module(text, place)
    except FunctionNotFoundError as error:
        raise error.renamed(argument) from error.__cause__
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            hint = ""
            if place == "__main__":
                hint = ": other processes cannot import what a notebook or a prompt defines. "
                hint += "Put it into a file, and name it 'path/file.py:name'"
            raise FunctionNotFoundError(
                argument, text, because=f"there is no {part!r} in {place!r}{hint}"
            ) from None
    return found


def _import(text: str) -> Callable[..., Any]:
    found = imported("train", text)
    try:
        return _function_of(found)
    except InvalidFunctionError:
        name = text.rpartition(":")[2]
        raise FunctionNotFoundError("train", text, because=f"{name!r} is no function") from None


def _import_module(text: str, name: str) -> ModuleType:
    # The current directory may not be on the path of a notebook, console command or deployment.
    # If the module lies in it, it stays there: worker processes get this process's path.
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        what = (
            "module"
            if name == missing or name.startswith(f"{missing}.")
            else "module (needed by it)"
        )
        problem = f"there is no {what} {missing!r}"
        raise FunctionNotFoundError("train", text, because=problem) from error
    except FunctionNotFoundError:
        raise
    except (Exception, SystemExit) as error:  # a script that parses its arguments may exit
        raise FunctionNotFoundError(
            "train", text, because=f"importing {name!r} raised {type(error).__name__}: {error}"
        ) from error
    finally:
        if added and not _lies_in(here, sys.modules.get(name)):
            sys.path.remove(here)
    return module


def _lies_in(directory: str, module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(directory)


def _load_file(text: str, place: str) -> ModuleType:
    path = Path(place).expanduser().absolute()
    if not path.is_file():
        raise FunctionNotFoundError(
            "train", text, because=f"there is no file {place!r} in {os.getcwd()!r}"
        )
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"{LOADED_PREFIX}{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FunctionNotFoundError("train", text, because=f"{place!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # As when the file is run, it may import modules beside it.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except FunctionNotFoundError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise FunctionNotFoundError(
            "train", text, because=f"running {place!r} raised {type(error).__name__}: {error}"
        ) from error
    return module


def import_string(function: Callable[..., Any]) -> str:
    """Return the import string of a function or a class: of a script's, with the script's path.

    Args:
        function: The function or the class.
    """
    inner = inspect.unwrap(_innermost(function))
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    module = getattr(inner, "__module__", None) or type(inner).__module__
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if file and (module == "__main__" or module.startswith(_LOADED)):
        try:
            place = str(Path(file).absolute().relative_to(Path.cwd()))
        except (ValueError, FileNotFoundError):  # elsewhere, or the current directory was removed
            place = file
        return f"{place}:{name}"
    return f"{module}:{name}"


def _innermost(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function
