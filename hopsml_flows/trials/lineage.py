"""What a trial was made of, and what it made: the files that it read, the models it exported. Pure.

Paths are relative to the experiment's project. What lies elsewhere has its full path, or its URL
without secrets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hopsml_flows.redaction import redacted_url
from hopsml_flows.text import unicode_text
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import is_finite

__all__ = ["MOST_EXPORTS", "MOST_INPUTS", "InputFile", "Lineage", "LineageLog"]

MOST_INPUTS = 50
"""Most files that a trial lists; it counts the others. A summary has those of all trials."""

MOST_EXPORTS = 50
"""Most versions of models that a trial lists: one that exports after each epoch has many."""

_MOST_COUNTED = 10_000
"""Most files that a trial counts beside those that it lists."""

_LONGEST = 1024
"""Characters of a path; object stores allow no longer ones."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a trial read, as it was when the trial first read it.

    Args:
        path: Its path.
        size: Its bytes, or None if they are not known.
        modified: When it was written, seconds since 1970; None if storage does not say.
    """

    path: str
    size: int | None = None
    modified: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The file as JSON values."""
        return {"path": self.path, "size": self.size, "modified": self.modified}

    @classmethod
    def from_json(cls, entry: object) -> InputFile | None:
        """Return the file that :meth:`as_json` wrote; None if it cannot be read.

        Args:
            entry: What it wrote; whoever can edit a record may write anything.
        """
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            return None
        size, modified = entry.get("size"), entry.get("modified")
        return cls(
            entry["path"],
            size if is_whole(size) and 0 <= size < 2**63 else None,
            modified if is_number(modified) and is_finite(modified) else None,
        )


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a trial was made of, and what it made.

    Args:
        inputs: The files that it read, in the order in which it first read them.
        unlisted: How many more files it read, up to 10,000.
        exports: The directories of the models' versions that it exported.

    Example:
        >>> lineage = Lineage((InputFile("Resources/train.csv", 7, 1.5),), 0, ("Models/net/1",))
        >>> Lineage.from_json(lineage.as_json()) == lineage
        True
    """

    inputs: tuple[InputFile, ...] = ()
    unlisted: int = 0
    exports: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inputs or self.unlisted or self.exports)

    def as_json(self) -> dict[str, Any]:
        """The lineage as JSON values, without what is empty."""
        return {
            **({"inputs": [file.as_json() for file in self.inputs]} if self.inputs else {}),
            **({"unlisted": self.unlisted} if self.unlisted else {}),
            **({"exports": list(self.exports)} if self.exports else {}),
        }

    @classmethod
    def from_json(cls, entry: object) -> Lineage:
        """Return the lineage that :meth:`as_json` wrote, as far as it can be read.

        Args:
            entry: What it wrote, or anything else.
        """
        if not isinstance(entry, dict):
            return cls()
        inputs, exports = entry.get("inputs"), entry.get("exports")
        unlisted = entry.get("unlisted")
        read = map(InputFile.from_json, inputs if isinstance(inputs, list) else ())
        return cls(
            tuple(file for file in read if file is not None),
            unlisted if is_whole(unlisted) and 0 < unlisted < 2**63 else 0,
            tuple(
                path
                for path in (exports if isinstance(exports, list) else ())
                if isinstance(path, str)
            ),
        )


class LineageLog:
    """Collects the lineage of a trial while it runs; any thread may add to it.

    Example:
        >>> log = LineageLog()
        >>> log.add_inputs([InputFile("Resources/train.csv", 7), InputFile("Resources/train.csv")])
        >>> log.add_inputs([InputFile("s3://bucket/a.csv?token=secret")])
        >>> [file.path for file in log.lineage().inputs]
        ['Resources/train.csv', 's3://bucket/a.csv?token=***']
    """

    def __init__(self) -> None:
        self._inputs: dict[str, InputFile] = {}
        self._more: set[str] = set()
        self._exports: dict[str, None] = {}
        self._lock = threading.Lock()

    def knows(self, path: str) -> bool:
        """Whether a file need not be described: it is listed, or no further one is.

        Args:
            path: The file's path.
        """
        return _shown(path) in self._inputs or len(self._inputs) >= MOST_INPUTS

    def add_inputs(self, files: Iterable[InputFile]) -> None:
        """Add files that the trial has read; of a file that it read before, nothing changes.

        Args:
            files: The files, with paths that may have secrets.
        """
        with self._lock:
            for file in files:
                path = _shown(file.path)
                if path in self._inputs:
                    continue
                if len(self._inputs) < MOST_INPUTS:
                    self._inputs[path] = InputFile(path, file.size, file.modified)
                elif len(self._more) < _MOST_COUNTED:
                    self._more.add(path)

    def add_export(self, path: str) -> None:
        """Add a version of a model that the trial exported.

        Args:
            path: The version's directory, with a path that may have secrets.
        """
        with self._lock:
            if len(self._exports) < MOST_EXPORTS:
                self._exports[_shown(path)] = None

    def lineage(self) -> Lineage:
        """Return what was added so far."""
        with self._lock:
            return Lineage(tuple(self._inputs.values()), len(self._more), tuple(self._exports))


def _shown(path: str) -> str:
    return unicode_text(redacted_url(path))[:_LONGEST]
