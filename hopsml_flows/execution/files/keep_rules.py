"""Which files of a trial are kept, and how many: the driver decides, the workers apply it."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution.files.sizes import files_text, size_of, size_text

__all__ = ["BYTES_VARIABLE", "FILES_VARIABLE", "FileRules"]

BYTES_VARIABLE = "HOPSML_MOST_BYTES"
"""Environment variable of the driver: the most bytes in all directories that a trial returns."""

FILES_VARIABLE = "HOPSML_MOST_FILES"
"""Environment variable of the driver: the most files in all directories that a trial returns."""

_MOST_BYTES = 10_000_000_000
_MOST_FILES = 10_000

_ALLOWED = 'must be True, False, a glob pattern such as "*.keras", or a list of them'


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which files of a trial are kept.

    The limits apply to all directories that a trial returns, together, and separately to the files
    kept of its working directory.

    Args:
        keep: Patterns of the files to keep of the working directory; "**" is all.
        most_bytes: Most bytes of a trial's returned directories, or of its kept files.
        most_files: Most files of a trial's returned directories, or most kept files.
    """

    keep: tuple[str, ...] = ()
    most_bytes: int = _MOST_BYTES
    most_files: int = _MOST_FILES

    @classmethod
    def from_argument(cls, keep_files: Any) -> FileRules:
        """Make the rules from the argument ``keep_files`` and the limits in the environment.

        Args:
            keep_files: True, False, a pattern, or several.

        Raises:
            InvalidArgumentError: The argument or a limit is invalid; the message names it.
        """
        return cls(
            keep=_patterns(keep_files),
            most_bytes=_limit(BYTES_VARIABLE, _MOST_BYTES, 'a size such as "20GB"'),
            most_files=_limit(FILES_VARIABLE, _MOST_FILES, "a whole number"),
        )

    def keeps(self, name: str) -> bool:
        """Whether a pattern matches a file or a directory above it.

        Args:
            name: Path of the file, relative to the working directory.
        """
        parts = _parts(name)
        return any(_matches(_parts(pattern), parts) for pattern in self.keep)

    def allow(self, size: int, files: int) -> bool:
        """Whether this size and number of files are within the limits.

        Args:
            size: Bytes.
            files: Number of files.
        """
        return size <= self.most_bytes and files <= self.most_files

    def __str__(self) -> str:
        return (
            f"at most {size_text(self.most_bytes)} in {files_text(self.most_files)}; "
            f"set {BYTES_VARIABLE} and {FILES_VARIABLE} in the driver's environment to change it"
        )


def _patterns(value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("**",) if value else ()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Sequence) and not isinstance(listed, (set, frozenset)):
        raise InvalidArgumentError("keep_files", value, _ALLOWED)
    if isinstance(listed, (bytes, bytearray, Mapping)):
        raise InvalidArgumentError("keep_files", value, _ALLOWED)
    patterns = sorted(listed, key=str) if isinstance(listed, (set, frozenset)) else list(listed)
    if not all(isinstance(pattern, str) and pattern.strip("/. ") for pattern in patterns):
        raise InvalidArgumentError("keep_files", value, _ALLOWED)
    for pattern in patterns:
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
            raise InvalidArgumentError(
                "keep_files", value, "must be relative to the trial's working directory"
            )
    return tuple(dict.fromkeys(pattern.removeprefix("./").rstrip("/") for pattern in patterns))


def _limit(variable: str, usual: int, allowed: str) -> int:
    text = os.environ.get(variable, "")
    if not text.strip():
        return usual
    limit = size_of(text) if variable == BYTES_VARIABLE else _whole(text)
    if limit is None:
        raise InvalidArgumentError(variable, text, f"must be {allowed}")
    return limit


def _whole(text: str) -> int | None:
    digits = text.strip().replace("_", "")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Whether the parts of a pattern match those of a name, or of a directory above it."""
    if not pattern:
        return True  # the rest of the name lies below a matching directory
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        if not rest:
            return bool(name)
        return any(_matches(rest, name[start:]) for start in range(len(name)))
    return bool(name) and fnmatch.fnmatchcase(name[0], first) and _matches(rest, name[1:])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
