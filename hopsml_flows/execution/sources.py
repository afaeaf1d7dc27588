"""Show and import the user's source code on machines that lack its files."""

from __future__ import annotations

import importlib.abc
import linecache
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

__all__ = ["SourceFinder", "SourceModule", "modules_below", "show_source"]


def show_source(file: str, source: str) -> None:
    """Let tracebacks and ``inspect`` find a source that this machine may lack.

    Args:
        file: Name of its file, as in code objects.
        source: The source.
    """
    # linecache never drops an entry without a modification time, even if the disk differs.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)


@dataclass(frozen=True, slots=True)
class SourceModule:
    """The source of one of the user's modules.

    Args:
        file: Its file on the driver's machine.
        source: The source.
        is_package: Whether it is a package.
    """

    file: str
    source: str
    is_package: bool


def modules_below(directory: Path) -> dict[str, SourceModule]:
    """Return the modules that Python would find in a directory, by name.

    A directory without ``__init__.py`` that has modules is a package all the same.

    Args:
        directory: The directory.
    """
    found: dict[str, SourceModule] = {}
    for path in sorted(directory.rglob("*.py")):
        inner = path.relative_to(directory).with_suffix("")
        parts = inner.parts[:-1] if inner.name == "__init__" else inner.parts
        if not parts or not all(part.isidentifier() for part in parts):
            continue
        try:
            with tokenize.open(path) as stream:
                source = stream.read()
        except (OSError, SyntaxError, UnicodeDecodeError):  # no Python, which nothing imports
            continue
        is_package = inner.name == "__init__"
        found[".".join(parts)] = SourceModule(str(path), source, is_package)
    for name in list(found):
        parts = tuple(name.split("."))
        for end in range(1, len(parts)):
            file = directory.joinpath(*parts[:end], "__init__.py")
            found.setdefault(".".join(parts[:end]), SourceModule(str(file), "", is_package=True))
    return found


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the user's modules from their sources.

    Args:
        modules: Module name to source.
    """

    def __init__(self, modules: Mapping[str, SourceModule]) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to load one of the user's modules; None for any other module."""
        found = self._modules.get(fullname)
        if found is None:
            return None
        spec = ModuleSpec(fullname, self, origin=found.file, is_package=found.is_package)
        spec.has_location = True
        return spec

    def is_package(self, fullname: str) -> bool:
        """Whether a module is a package."""
        return self._modules[fullname].is_package

    def get_source(self, fullname: str) -> str:
        """A module's source."""
        return self._modules[fullname].source

    def exec_module(self, module: ModuleType) -> None:
        """Register a module's source for tracebacks, then execute it."""
        found = self._modules[module.__name__]
        show_source(found.file, found.source)
        # Do not inherit this module's ``from __future__`` imports.
        code = compile(found.source, found.file, "exec", dont_inherit=True)
        exec(code, vars(module))
