"""Source code of the user's on machines that lack its files: shown in tracebacks, and imported."""

from __future__ import annotations

import importlib.abc
import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["SourceFinder", "SourceModule", "show_source"]


def show_source(file: str, source: str) -> None:
    """Let tracebacks and ``inspect`` find a source that this machine may not have.

    Args:
        file: Name of its file, as code objects have it.
        source: The source.
    """
    # Without a time of modification an entry is never thrown away, whatever lies on disk.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)


@dataclass(frozen=True, slots=True)
class SourceModule:
    """A module of the user's, as its source.

    Args:
        file: Its file on the driver's machine.
        source: The source.
        is_package: Whether it may have modules inside.
    """

    file: str
    source: str
    is_package: bool


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the user's modules from their sources, where they cannot be found otherwise.

    Args:
        modules: Module by name.
    """

    def __init__(self, modules: Mapping[str, SourceModule]) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Say how to load a module; None for one that is not the user's."""
        found = self._modules.get(fullname)
        if found is None:
            return None
        spec = ModuleSpec(fullname, self, origin=found.file, is_package=found.is_package)
        spec.has_location = True
        return spec

    def is_package(self, fullname: str) -> bool:
        """Whether a module may have modules inside."""
        return self._modules[fullname].is_package

    def get_source(self, fullname: str) -> str:
        """A module's source."""
        return self._modules[fullname].source

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's source, once tracebacks can show it."""
        found = self._modules[module.__name__]
        show_source(found.file, found.source)
        # Without what this module imports from the future.
        code = compile(found.source, found.file, "exec", dont_inherit=True)
        exec(code, vars(module))
