"""Copy the files and directories that a trial returned into its local directory.

This module does not use the project's storage: the trial's staging uploads the local directory.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import Any

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.execution.files.copies import copy_whole, storable
from hopsml_flows.execution.files.directory_tree import Tree, tree_of
from hopsml_flows.execution.files.keep_rules import FileRules
from hopsml_flows.execution.files.path_texts import looks_like_path
from hopsml_flows.execution.files.sizes import files_text, name_text, size_text
from hopsml_flows.storage import is_own_file
from hopsml_flows.trials import slug

__all__ = ["Attachments", "Terms"]

MOST_WARNINGS = 10
"""Limit per trial on warnings about outputs that look like paths of missing files, and per output
on warnings about files left out."""

_CLOCKS_DIFFER = 2.0
"""Seconds by which a file system's clock may be behind."""

_CHUNK = 1 << 20
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Terms:
    """How to take in a trial's files.

    Args:
        rules: Which files are kept, and how many.
        warn: Receives each warning, one line.
        working: The trial's own working directory, or None if it has none.
        params: The trial's hyperparameters.
        taken: Files and directories taken in so far, as absolute paths without links.
        began: When the trial began, in seconds since the epoch.
    """

    rules: FileRules = field(default_factory=FileRules)
    warn: Callable[[str], None] = _logger.warning
    working: Path | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    taken: set[Path] = field(default_factory=set)
    began: float = field(default_factory=time.time)


class Attachments:
    """Takes in the files and directories that one trial's outputs name.

    Args:
        into: The trial's local directory.
        path_of: Maps a name relative to that directory to its path in the project.
        terms: How to take in the trial's files.
        copy: Copies a file whole; without room, to another place where it is kept.
        keep: Moves a directory to a place where nothing removes it, and returns that place.
        locally: Whether the project is on a disk of this machine.
        never: Directories that are never taken in, nor are their parents.
    """

    def __init__(
        self,
        into: Path,
        path_of: Callable[[str], str],
        terms: Terms,
        *,
        copy: Callable[[Path, Path], None],
        keep: Callable[[Path], Path],
        locally: bool,
        never: Iterable[Path] = (),
    ) -> None:
        self._unresolved = into
        self._path_of = path_of
        self._terms = terms
        self._copy_file = copy
        self._keep = keep
        self._locally = locally
        self._unresolved_never = never
        self._placed: dict[Path, Path] = {}
        self._size = 0
        self._files = 0
        self._missing = 0
        self._too_large: list[str] = []
        self.empty: list[Path] = []

    # Most trials return no path, and resolving takes a system call per directory.

    @cached_property
    def _into(self) -> Path:
        return self._unresolved.resolve()

    @cached_property
    def _never(self) -> list[Path]:
        working = [self._terms.working] if self._terms.working else []
        return [path.resolve() for path in (*working, *self._unresolved_never)]

    def take_in(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Copy what the outputs name, and return the outputs with paths in the project instead.

        Args:
            outputs: Output name to JSON value.

        Raises:
            InvalidOutputError: A directory exceeds the limits. The error says where it is kept or
                stays. All others are taken in.
            OSError: A file cannot be copied.
        """
        taken = {name: self._value(name, value) for name, value in outputs.items()}
        if self._missing > MOST_WARNINGS:
            more = self._missing - MOST_WARNINGS
            self._terms.warn(f"{more} more outputs look like paths of files that do not exist")
        if self._too_large:
            raise InvalidOutputError(
                f"{'; '.join(self._too_large)}. Returned directories are attached up to a limit: "
                f"{self._terms.rules}"
            )
        return taken

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(name, item) for item in value]
        if isinstance(value, dict):
            return {key: self._value(f"{name}-{key}", item) for key, item in value.items()}
        if not isinstance(value, str) or len(value) > os.pathconf("/", "PC_PATH_MAX"):
            return value
        if not value.strip("./ "):  # "." or "/": punctuation rather than a path
            return value
        source = self._find(value)
        if source is None:
            if looks_like_path(value, self._is_directory):
                self._warn_missing(name, value)
            return value
        try:
            kind = source.stat().st_mode
        except OSError:  # it vanished
            return value
        if stat.S_ISREG(kind):
            return self._file(name, value, source)
        if stat.S_ISDIR(kind):
            return self._directory(name, value, source)
        self._terms.warn(f"output {name!r}: {name_text(value)} is neither a file nor a directory")
        return value

    def _find(self, value: str) -> Path | None:
        """Resolve a text to an existing file or directory without links, or None."""
        for base in self._bases():
            with suppress(OSError, ValueError, RuntimeError):
                return Path(base, value).resolve(strict=True)
        return None

    def _bases(self) -> Iterator[str]:
        """Bases of relative paths: the current directory, then the trial's working directory."""
        with suppress(OSError):  # the function may have removed it
            yield os.getcwd()
        if self._terms.working is not None:
            yield str(self._terms.working)

    def _is_directory(self, name: str) -> bool:
        return any(os.path.isdir(os.path.join(base, name)) for base in self._bases())

    def _warn_missing(self, name: str, value: str) -> None:
        if self._is_said_back(value):
            return
        self._missing += 1
        if self._missing <= MOST_WARNINGS:
            shown = name_text(value if len(value) <= 200 else f"{value[:200]}…")
            self._terms.warn(f"output {name!r} is {shown}, and there is no such file or directory")

    def _file(self, name: str, value: str, source: Path) -> str:
        if (there := self._path_if_taken(source)) is not None:
            return there
        try:
            target = self._place_for(name, value, lambda place: _same(source, place))
            if not target.exists():
                self._copy_file(source, target)
        except PermissionError as error:  # the file is not the trial's own
            self._terms.warn(f"output {name!r}: {name_text(value)} cannot be read ({error})")
            return value
        self._terms.taken.add(source)
        return self._path_of(target.name)

    def _directory(self, name: str, value: str, source: Path) -> str:
        if (there := self._path_if_taken(source)) is not None:
            return there
        if any(source == path or source in path.parents for path in (*self._never, self._into)):
            self._terms.warn(
                f"output {name!r} is not kept: {name_text(value)} is or contains the trial's "
                "working directory, its own files, or the project; return a directory inside the "
                "working directory, or set keep_files=True"
            )
            return value
        tree = tree_of(
            source,
            storable_name=lambda part: storable(part, locally=self._locally),
            allowed=self._allows,
        )
        if not self._is_own(source) and tree.newest < self._terms.began - _CLOCKS_DIFFER:
            if self._is_said_back(value):
                return value  # input data that the trial was told to read
            if not value.startswith(("./", "../")):  # such a path asks for a copy
                how = f"; return {f'./{value}'!r} to attach it" if "/" not in value else ""
                self._terms.warn(
                    f"output {name!r} is {name_text(value)}, which is a directory that the trial "
                    f"did not write to: it stays where it is{how}"
                )
                return value
        if not self._allows(tree):
            self._too_large.append(self._keep_too_large(name, value, source, tree))
            return value
        self._size += tree.size
        self._files += len(tree.files)
        target = self._place_for(name, value, lambda _: False)
        try:
            self._copy(tree, target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)  # a partial copy would keep the disk full
            raise
        self._tell_left_out(name, value, tree)
        self._terms.taken.add(source)
        self._placed[source] = target
        return self._path_of(target.name)

    def _allows(self, tree: Tree) -> bool:
        return self._terms.rules.allow(self._size + tree.size, self._files + len(tree.files))

    def _copy(self, tree: Tree, target: Path) -> None:
        target.mkdir()
        for directory in tree.directories:
            (target / directory).mkdir(parents=True, exist_ok=True)
        for inside, file in tree.files.items():
            try:
                copy_whole(file, target / inside)
            except (FileNotFoundError, PermissionError) as error:
                if file.exists() and isinstance(error, FileNotFoundError):
                    raise
                tree.left_out.append((inside, "it vanished, or cannot be read"))
        self.empty += [target / name for name in tree.empty]

    def _tell_left_out(self, name: str, value: str, tree: Tree) -> None:
        shown = name_text(value)
        for inside, reason in tree.left_out[:MOST_WARNINGS]:
            self._terms.warn(f"output {name!r}: {shown}/{name_text(inside)} is left out: {reason}")
        if (more := len(tree.left_out) - MOST_WARNINGS) > 0:
            self._terms.warn(f"output {name!r}: {more} more things of {shown} are left out")
        if not tree.files:
            self._terms.warn(f"output {name!r}: there are no files in the directory {shown}")

    def _keep_too_large(self, name: str, value: str, source: Path, tree: Tree) -> str:
        """Keep a directory that exceeds the limits, and return what to tell the user."""
        at_least = "" if tree.whole else "at least "
        size = f"{at_least}{size_text(tree.size)} in {files_text(len(tree.files))}"
        beside = ""
        if self._files:
            beside = f", besides {size_text(self._size)} in {files_text(self._files)}"
        where = f"it stays where it is, in {source}"
        if self._is_own(source):  # the working directory is removed with the trial
            try:
                where = f"it is kept in {self._keep(source)}"
            except OSError as error:
                where = f"it could not be kept ({type(error).__name__}: {error})"
            else:
                self._terms.taken.add(source)
        return (
            f"output {name!r} is the directory {name_text(value)} with {size}{beside}, which is "
            f"too much; {where} on {socket.gethostname()}"
        )

    def _is_own(self, source: Path) -> bool:
        """Whether a path lies in the trial's working directory, not behind a link there."""
        return self._terms.working is not None and (self._terms.working.resolve() in source.parents)

    def _path_if_taken(self, source: Path) -> str | None:
        """The path in the project, if the source is in the trial's directory or was copied."""
        if source == self._into or self._into in source.parents:
            inside = source.relative_to(self._into).as_posix()
            return self._path_of("" if inside == "." else inside)
        for parent in (source, *source.parents):
            if (placed := self._placed.get(parent)) is not None:
                copy = placed / source.relative_to(parent)
                if not copy.exists():  # renamed or left out
                    return None
                return self._path_of(copy.relative_to(self._into).as_posix())
        return None

    def _is_said_back(self, value: str) -> bool:
        """Whether an output repeats the value of a hyperparameter."""
        told = (given for given in self._terms.params.values() if isinstance(given, (str, Path)))
        return any(str(given) == value for given in told)

    def _place_for(self, key: str, value: str, is_it: Callable[[Path], bool]) -> Path:
        """Where to copy an output: under its name, or a free one if another has that name."""
        name = storable(os.path.basename(os.path.normpath(value)), locally=self._locally)
        prefix = slug(key)
        names = chain([name, f"{prefix}-{name}"], (f"{prefix}-{n}-{name}" for n in count(2)))
        return next(
            target
            for target in (self._into / candidate for candidate in names)
            if not is_own_file(target.name) and (not os.path.lexists(target) or is_it(target))
        )


def _same(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _digest(path: Path) -> bytes:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
