"""Packing a training function for the processes that call it, and unpacking it there.

What is defined in a script, a notebook or a file loaded by path travels by value. With it travel
its source, and the names that surround it in its module: a process that unpacks it for a trial can
show the source in tracebacks, and pickle and unpickle the script's own classes.

Code objects are packed here rather than by cloudpickle, which drops their file name from its
version 3.1.3 on; without the name no tool finds the source.
"""

from __future__ import annotations

import io
import linecache
import marshal
import os
import pickle
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle

from hopsml_flows.errors import InvalidFunctionError
from hopsml_flows.execution.function import is_loaded_from_file
from hopsml_flows.execution.main_module import PAYLOAD_VARIABLE, install, install_main
from hopsml_flows.execution.sources import SourceFinder, SourceModule, show_source

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Payload", "live_in_this_process", "packed", "packed_values", "unpacked"]

LARGEST_EXTRA = 1 << 20
"""Bytes that a name of the script may take which the function itself does not use."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A training function and what surrounds it.

    Args:
        python: Version of the Python that packed it; bytecode fits no other one.
        stream: Pickle of the function, then of the objects that went by value: module to name to
            object.
        sources: File name to source, of all code that went by value.
        files: Module to file, of the modules that code went by value from.
        extras: Further names of the script, each pickled by itself.
        imports: Names that the script gave to modules.
        arguments: The driver's ``sys.argv``.
        modules: The user's modules that the driver has loaded, where workers may lack them.
    """

    python: tuple[int, int]
    stream: bytes
    sources: dict[str, str]
    files: dict[str, str | None]
    extras: dict[str, bytes] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    modules: dict[str, SourceModule] = field(default_factory=dict)


def packed(function: Callable[..., Any], *, by_value: bool) -> bytes:
    """Pack a function for the workers.

    Functions of ``__main__``, notebooks, closures and files loaded by path always travel by
    value. Functions of importable modules travel by name where workers share this machine's
    modules, and by value, with the user's other modules, where they may not.

    Args:
        function: The callable.
        by_value: Whether workers may lack the user's modules.

    Raises:
        InvalidFunctionError: Something the function refers to cannot be pickled.
    """
    with _by_value(users_modules=by_value):
        stream = io.BytesIO()
        pickler = _Pickler(stream)
        try:
            pickler.dump(function)
            names = pickler.names()
            pickler.dump(names)
        except Exception as error:  # pickling calls arbitrary __reduce__ methods
            raise InvalidFunctionError(
                "train",
                function,
                because=f"it cannot be sent to the workers ({type(error).__name__}: {error}): "
                "create what it refers to inside the function",
            ) from error
        extras, imports = _extras(names.get("__main__", {}))
    modules = {name: sys.modules.get(name) for name in names}
    return pickle.dumps(
        Payload(
            python=sys.version_info[:2],
            stream=stream.getvalue(),
            sources=pickler.sources(),
            files={name: getattr(module, "__file__", None) for name, module in modules.items()},
            extras=extras,
            imports=imports,
            arguments=tuple(sys.argv),
            modules=_users_modules() if by_value else {},
        )
    )


def live_in_this_process(data: bytes, directory: Path | None = None) -> None:
    """Let this process, which exists for a packed function, be like the driver's.

    Args:
        data: The packed function.
        directory: A directory that lives as long as the process, for what processes need that
            training code spawns; None in one of these.
    """
    payload: Payload = pickle.loads(data)
    sys.argv[:] = payload.arguments
    if payload.modules:
        sys.meta_path.append(SourceFinder(payload.modules))
    if directory is not None:
        path = directory / "function.pickle"
        path.write_bytes(data)
        os.environ[PAYLOAD_VARIABLE] = str(path)


def packed_values(values: Mapping[str, Any], *, by_value: bool) -> bytes:
    """Pack a trial's hyperparameters; where the function is unpacked, they fit its classes.

    Args:
        values: Name to value.
        by_value: As for :func:`packed`.
    """
    if all(_is_plain(value) for value in values.values()):
        return pickle.dumps(dict(values))
    with _by_value(users_modules=by_value):
        data: bytes = cloudpickle.dumps(dict(values))
    return data


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(_is_plain(item) for item in value)
    return type(value) in (bool, int, float, str, bytes, type(None))


def unpacked(data: bytes, *, own_process: bool = False) -> Callable[..., Any]:
    """The function out of :func:`packed`; only ever called with this run's own bytes.

    Args:
        data: The packed function.
        own_process: Whether this process exists for the function: its ``__main__`` then stands in
            for the script's.

    Raises:
        RuntimeError: Another version of Python packed it.
    """
    payload: Payload = pickle.loads(data)
    if payload.python != sys.version_info[:2]:
        theirs, ours = (".".join(map(str, v)) for v in (payload.python, sys.version_info[:2]))
        raise RuntimeError(
            f"the driver runs Python {theirs} and this worker Python {ours}; both must run the same"
        )
    for file, source in payload.sources.items():
        show_source(file, source)
    unpickler = pickle.Unpickler(io.BytesIO(payload.stream))
    function: Callable[..., Any] = unpickler.load()
    if own_process:
        names: dict[str, dict[str, Any]] = unpickler.load()
        main = names.pop("__main__", {})
        install_main(
            main,
            payload.files.get("__main__"),
            {name: partial(cloudpickle.loads, extra) for name, extra in payload.extras.items()},
            payload.imports,
        )
        for module, members in names.items():
            install(module, members, payload.files.get(module))
    return function


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # untyped
    """Pickles as cloudpickle does, keeps file names, and remembers what went by value."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._files: set[str] = set()
        self._members: dict[int, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, CodeType):
            self._files.add(obj.co_filename)
            return marshal.loads, (marshal.dumps(obj),)
        reduced = super().reducer_override(obj)
        if reduced is not NotImplemented and isinstance(obj, (type, FunctionType)):
            self._members[id(obj)] = obj
        return reduced

    def names(self) -> dict[str, dict[str, Any]]:
        """The functions and classes that went by value, by module and name."""
        found: dict[str, dict[str, Any]] = {}
        for member in self._members.values():
            module, name = _module_of(member), str(getattr(member, "__qualname__", ""))
            if module is not None and getattr(module, name, None) is member:
                found.setdefault(module.__name__, {})[name] = member
        return found

    def sources(self) -> dict[str, str]:
        """The sources of the code that went by value, as far as there are any."""
        found = {file: "".join(linecache.getlines(file)) for file in self._files}
        return {file: source for file, source in found.items() if source}


def _users_modules() -> dict[str, SourceModule]:
    """The sources of the user's modules; a function may import them when it is called."""
    found = {}
    for name, module in list(sys.modules.items()):
        if module is not None and _is_users(name, module):
            source = "".join(linecache.getlines(str(module.__file__)))
            is_package = hasattr(module, "__path__")
            found[name] = SourceModule(str(module.__file__), source, is_package)
    return {
        name: module
        for name, module in found.items()
        if module.file.endswith(".py") and len(module.source) <= LARGEST_EXTRA
    }


def _module_of(member: Any) -> ModuleType | None:
    name = getattr(member, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    return module if name == getattr(module, "__name__", None) else None


def _extras(known: Mapping[str, Any]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Names of the script that the function itself does not use: training code may, by name.

    Args:
        known: Those that it uses.

    Returns:
        Its other functions, classes and small constants, pickled; and its names of modules.
    """
    extras: dict[str, bytes] = {}
    imports: dict[str, str] = {}
    for name, value in vars(sys.modules["__main__"]).copy().items():
        if name in known or name.startswith("__"):
            continue
        if isinstance(value, ModuleType):
            imports[name] = value.__name__
        elif isinstance(value, _CONSTANTS) or (
            isinstance(value, (type, FunctionType)) and value.__module__ == "__main__"
        ):
            # What cannot be pickled is not missed here: the function goes without it.
            with suppress(Exception):
                file = _Bounded()
                _Pickler(file).dump(value)
                extras[name] = file.getvalue()
    return extras, imports


_CONSTANTS = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))


_registering = threading.RLock()


class _Bounded(io.BytesIO):
    """A file that refuses to become large."""

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > LARGEST_EXTRA:
            raise BufferError
        return super().write(data)


@contextmanager
def _by_value(*, users_modules: bool) -> Iterator[None]:
    """Let cloudpickle take modules by value that the workers may lack.

    One thread at a time: another experiment's modules would be taken for the user's.
    """
    with _registering:
        # Those that the user registered stay registered; aliases of a module are left out.
        registered = cloudpickle.list_registry_pickle_by_value()
        modules = [
            module
            for name, module in list(sys.modules.items())
            if name == getattr(module, "__name__", None)
            and name not in registered
            and (is_loaded_from_file(name) or (users_modules and _is_users(name, module)))
        ]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)


_INSTALLED = tuple(
    os.path.realpath(path) + os.sep
    for key, path in sysconfig.get_paths().items()
    if key in ("stdlib", "platstdlib", "purelib", "platlib")
)


def _is_users(name: str, module: ModuleType) -> bool:
    """Whether a module is neither the standard library's, nor installed, nor the project's."""
    file = getattr(module, "__file__", None)
    if not file or name.partition(".")[0] in ("hopsml_flows", "hopsml_tasks", "__main__"):
        return False
    directory, base = os.path.split(file)
    return not os.path.join(_real_directory(directory), base).startswith(_INSTALLED)


@cache
def _real_directory(path: str) -> str:
    """A directory without symbolic links; there are thousands of modules in few of them."""
    return os.path.realpath(path)
