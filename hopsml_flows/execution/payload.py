"""Pack a training function for the processes that call it, and unpack it there.

Code of a script, a notebook or a file loaded by path travels by value, together with its source
and with other names of its script. So the training process can show the source in
tracebacks, and pickle and unpickle the script's own classes.

Code objects are packed here rather than by cloudpickle: from version 3.1.3 on it drops their file
name, without which no tool finds the source.
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
from hopsml_flows.execution.sources import (
    SourceFinder,
    SourceModule,
    modules_below,
    show_source,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Payload",
    "live_in_this_process",
    "packed",
    "packed_values",
    "sent_along",
    "unpacked",
]

LARGEST_EXTRA = 1 << 20
"""Limit in bytes for each of the script's objects that the function itself does not use, and for
the source of each of the user's modules."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A packed training function with its surroundings.

    Args:
        python: Version of Python that packed it; no other version can run its bytecode.
        stream: Pickle of the function, then of the objects packed by value: module to name to
            object.
        sources: File name to source, for all code packed by value.
        files: Module to file, for the modules with objects packed by value.
        extras: Further names of the script, each object pickled separately.
        imports: Name in the script to the name of the module it stands for.
        arguments: The driver's ``sys.argv``.
        modules: The user's modules loaded in the driver, if workers may lack them.
        first: Modules that count before those that a worker has.
    """

    python: tuple[int, int]
    stream: bytes
    sources: dict[str, str]
    files: dict[str, str | None]
    extras: dict[str, bytes] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    modules: dict[str, SourceModule] = field(default_factory=dict)
    first: dict[str, SourceModule] = field(default_factory=dict)


_along: dict[str, SourceModule] = {}
"""Modules that travel with each function whose workers may lack them."""


@contextmanager
def sent_along(directory: Path) -> Iterator[None]:
    """Let a program's modules travel with the functions that are packed within.

    Those that nothing has imported yet travel, too: a function may import them when it is called.
    Where a worker has another module of the same name, the program's counts.

    Args:
        directory: The directory of the program.
    """
    found = {
        name: module
        for name, module in modules_below(directory).items()
        if len(module.source) <= LARGEST_EXTRA
    }
    before = dict(_along)
    _along.update(found)
    try:
        yield
    finally:
        _along.clear()
        _along.update(before)


def packed(function: Callable[..., Any], *, by_value: bool) -> bytes:
    """Pack a function for the workers.

    Functions of ``__main__``, notebooks, closures and files loaded by path always travel by
    value. Functions of importable modules travel by name if workers have the driver's modules.
    Otherwise they travel by value, with the user's other modules.

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
            first=dict(_along) if by_value else {},
        )
    )


def live_in_this_process(data: bytes, directory: Path | None = None) -> None:
    """Give this process, which only runs a packed function, the driver's arguments and modules.

    Args:
        data: The packed function.
        directory: A directory that lives as long as the process. The packed function is stored in
            it for processes that training code spawns; None in a spawned process.
    """
    payload: Payload = pickle.loads(data)
    sys.argv[:] = payload.arguments
    if payload.modules:
        sys.meta_path.append(SourceFinder(payload.modules))
    if payload.first:
        sys.meta_path.insert(0, SourceFinder(payload.first))
    if directory is not None:
        path = directory / "function.pickle"
        path.write_bytes(data)
        os.environ[PAYLOAD_VARIABLE] = str(path)


def packed_values(values: Mapping[str, Any], *, by_value: bool) -> bytes:
    """Pack a trial's hyperparameters; unpack them in a process that has unpacked the function.

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
    """Unpack a function that :func:`packed` made. Pass bytes of this run only: it is a pickle.

    Args:
        data: The packed function.
        own_process: Whether this process only runs the function. Its ``__main__`` is then replaced
            by a stand-in for the script's.

    Raises:
        RuntimeError: Another version of Python packed the function.
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
    """Cloudpickle's pickler, but keeps file names, and remembers what was packed by value."""

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
        """The functions and classes packed by value, by module and name."""
        found: dict[str, dict[str, Any]] = {}
        for member in self._members.values():
            module, name = _module_of(member), str(getattr(member, "__qualname__", ""))
            if module is not None and getattr(module, name, None) is member:
                found.setdefault(module.__name__, {})[name] = member
        return found

    def sources(self) -> dict[str, str]:
        """File name to source, for the code packed by value whose source was found."""
        found = {file: "".join(linecache.getlines(file)) for file in self._files}
        return {file: source for file, source in found.items() if source}


def _users_modules() -> dict[str, SourceModule]:
    """The sources of the user's modules: the function may import them when it is called."""
    found = {}
    for name, module in sys.modules.copy().items():
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
    """Collect names of the script that the function does not use, but training code may look up.

    Args:
        known: The names that the function uses.

    Returns:
        The script's other functions, classes and small constants, pickled; and its names for
        modules.
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
            # The function does not need these: leave out what cannot be pickled or is too large.
            with suppress(Exception):
                file = _Bounded()
                _Pickler(file).dump(value)
                extras[name] = file.getvalue()
    return extras, imports


_CONSTANTS = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))


_registering = threading.RLock()


class _Bounded(io.BytesIO):
    """A file in memory that raises ``BufferError`` beyond ``LARGEST_EXTRA`` bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > LARGEST_EXTRA:
            raise BufferError
        return super().write(data)


@contextmanager
def _by_value(*, users_modules: bool) -> Iterator[None]:
    """Let cloudpickle pack by value the modules that the workers may lack.

    One thread at a time, since it would take another experiment's registrations for the user's.
    """
    with _registering:
        # What the user registered stays registered. Aliases of a module are left out.
        registered = cloudpickle.list_registry_pickle_by_value()
        modules = [
            module
            for name, module in sys.modules.copy().items()
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
    """Whether a module is the user's: not installed, nor part of Python or of this library."""
    file = getattr(module, "__file__", None)
    if not file or name.partition(".")[0] in ("hopsml_flows", "hopsml_tasks", "__main__"):
        return False
    directory, base = os.path.split(file)
    return not os.path.join(_real_directory(directory), base).startswith(_INSTALLED)


@cache
def _real_directory(path: str) -> str:
    """A directory's path without symbolic links; cached, since many modules share a directory."""
    return os.path.realpath(path)
