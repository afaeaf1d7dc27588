"""Packs the user's own modules: what a program imports and no installer can bring.

Only Python sources are taken. What an experiment's data and configuration say is not the program,
and may be large or secret.
"""

from __future__ import annotations

import ast
import io
import os
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hopsml_flows.execution.function import is_loaded_from_file
from hopsml_flows.tracking.versions.secret_names import is_secret_file

__all__ = ["LARGEST", "LARGEST_FILE", "MOST_FILES", "Modules", "local_modules"]

LARGEST = 8 << 20
"""Most bytes of sources that are kept."""

LARGEST_FILE = 1 << 20
"""Most bytes of one source."""

MOST_FILES = 1000
"""Most sources that are kept."""

SECONDS = 2.0
"""How long they are looked for."""

_NOT_SOURCES = frozenset(
    {
        "__pycache__",
        "build",
        "dist",
        "env",
        "node_modules",
        "site-packages",
        "dist-packages",
        "venv",
    }
)
_MARKS_OF_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
_OWN = frozenset({"hopsml_flows", "hopsml_tasks"})
_INSTALLED_IN = ("site-packages", "dist-packages")
_TIME = (1980, 1, 1, 0, 0, 0)
"""The same sources make the same archive, whenever it is made."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The user's modules.

    Args:
        files: Name in the archive to where the source is.
        left_out: Names of sources that usually hold secrets.
        is_cut: Whether there are more than are kept.
    """

    files: Mapping[str, Path]
    left_out: tuple[str, ...] = ()
    is_cut: bool = False

    def archive(self) -> bytes:
        """The sources as a ZIP archive. Where it is unpacked, Python can import them."""
        stream = io.BytesIO()
        size = 0
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, path in sorted(self.files.items()):
                try:
                    content = path.read_bytes()
                except OSError:  # it was removed meanwhile
                    continue
                size += len(content)
                if len(content) <= LARGEST_FILE and size <= LARGEST:
                    file.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
        return stream.getvalue()


def local_modules(
    script: Path | None, train: Path | None, modules: Mapping[str, Any] | None = None
) -> Modules:
    """Find the sources of a program: its script, its modules, and the packages that these are of.

    Args:
        script: The script, or None.
        train: The training function's file, or None.
        modules: The loaded modules, by name; None for those of this process.
    """
    looking = _Looking(time.monotonic() + SECONDS)
    for file in (script, train):
        package = None if file is None else _package_root(file)
        if package is not None:
            looking.take_tree(package, package.name)
        if file is not None and (package is None or file is script):
            looking.take_with_imports(file)
    for name, module in sorted((sys.modules.copy() if modules is None else modules).items()):
        if "." in name or name in _OWN or is_loaded_from_file(name):
            continue
        if isinstance(module, ModuleType):
            for place in _places(module):
                looking.take_module(place, name)
    return Modules(looking.files, tuple(sorted(looking.left_out)), looking.is_cut)


def _package_root(file: Path) -> Path | None:
    """The directory of the outermost package that a file is of; None if it is of none."""
    root = None
    for directory in file.absolute().parents:
        if not (directory / "__init__.py").is_file():
            break
        root = directory
    return root if root is not None and root.name.isidentifier() else None


def _places(module: ModuleType) -> Iterator[Path]:
    """Where a module of the user's lies; nothing for one that is installed, or part of Python."""
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or module.__name__.startswith("_"):
        return
    if isinstance(file, str) and os.path.basename(file) != "__init__.py":
        found: Iterable[str] = (file,) if file.endswith(".py") else ()
    else:
        try:
            found = [str(place) for place in getattr(module, "__path__", ())]
        except Exception:  # a lazy module may import something
            return
    for place in found:
        if _is_users(place):
            yield Path(place)


_PYTHONS = tuple(
    os.path.realpath(path) + os.sep
    for key, path in sysconfig.get_paths().items()
    if key in ("stdlib", "platstdlib", "purelib", "platlib")
)


def _is_users(place: str) -> bool:
    real = os.path.realpath(place)
    return not real.startswith(_PYTHONS) and not set(_INSTALLED_IN) & set(Path(real).parts)


class _Looking:
    """Collects sources until there are too many.

    Args:
        until: When to stop, on the monotonic clock.
    """

    def __init__(self, until: float) -> None:
        self._until = until
        self._size = 0
        self.files: dict[str, Path] = {}
        self.left_out: set[str] = set()
        self.is_cut = False

    def take(self, file: Path, name: str) -> None:
        """Take one source.

        Args:
            file: Where it is.
            name: Its name in the archive. The first file of a name is the one that Python imports.
        """
        if name in self.files or not name.endswith(".py"):
            return
        if is_secret_file(name):
            self.left_out.add(name)
            return
        try:
            size = file.stat().st_size
        except OSError:
            return
        too_many = len(self.files) >= MOST_FILES or self._size + size > LARGEST
        if size > LARGEST_FILE or too_many or not file.is_file():
            self.is_cut = True
            return
        self.files[name] = file
        self._size += size

    def take_module(self, place: Path, name: str) -> None:
        """Take a module or a package.

        Args:
            place: Its file or its directory.
            name: Its name.
        """
        if place.is_dir():
            self.take_tree(place, name)
        else:
            self.take(place, f"{name}.py")

    def take_with_imports(self, file: Path) -> None:
        """Take a source, and modules beside it that it may import when its functions are called.

        Args:
            file: Where it is.
        """
        waiting = [file]
        while waiting and time.monotonic() < self._until:
            source = waiting.pop()
            known = set(self.files)
            self.take(source, source.name)
            if source.name in known or source.name not in self.files:
                continue
            for name in sorted(_imported(source)):
                if (package := source.parent / name / "__init__.py").is_file():
                    self.take_tree(package.parent, name)
                elif (beside := source.parent / f"{name}.py").is_file():
                    waiting.append(beside)

    def take_tree(self, root: Path, name: str) -> None:
        """Take the sources of a package.

        Args:
            root: Its directory.
            name: Its name.
        """
        for directory, inner, names in os.walk(root):
            if time.monotonic() > self._until or len(self.files) >= MOST_FILES:
                self.is_cut = True
                return
            inner[:] = sorted(each for each in inner if _may_have_sources(directory, each))
            below = Path(directory).relative_to(root).parts
            for each in sorted(names):
                if not each.startswith("."):
                    self.take(Path(directory, each), "/".join((name, *below, each)))


def _imported(file: Path) -> set[str]:
    """Names of the packages and modules that a source says it imports, wherever it says so."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _may_have_sources(parent: str, name: str) -> bool:
    """Whether a directory is part of a program, rather than hidden, built, or an environment."""
    if name.startswith(".") or name in _NOT_SOURCES or name.endswith(".egg-info"):
        return False
    path = os.path.join(parent, name)
    return not any(os.path.exists(os.path.join(path, mark)) for mark in _MARKS_OF_ENVIRONMENTS)
