"""Which files of a trial are kept, and how many: judged by the driver, followed by the workers."""

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
"""Environment variable of the driver: how large a trial's returned directories may be together."""

FILES_VARIABLE = "HOPSML_MOST_FILES"
"""Environment variable of the driver: how many files they may have together."""

_MOST_BYTES = 10_000_000_000
_MOST_FILES = 10_000

_ALLOWED = 'must be True, False, a glob pattern such as "*.keras", or a list of them'


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which files of a trial are kept.

    The limits hold for the directories that a trial returns, all together; and once more for what
    it leaves in its working directory.

    Args:
        keep: Patterns of the files in the working directory that are kept; "**" is all.
        most_bytes: Bytes of attached directories, or of kept files, of a trial.
        most_files: The same for their number.
    """

    keep: tuple[str, ...] = ()
    most_bytes: int = _MOST_BYTES
    most_files: int = _MOST_FILES

    @classmethod
    def checked(cls, keep_files: Any) -> FileRules:
        """Judge the argument ``keep_files``, and the limits in the environment.

        Args:
            keep_files: True, False, a pattern, or several.

        Raises:
            InvalidArgumentError: One is wrong; the message names it.
        """
        return cls(
            keep=_patterns(keep_files),
            most_bytes=_limit(BYTES_VARIABLE, _MOST_BYTES, 'a size such as "20GB"'),
            most_files=_limit(FILES_VARIABLE, _MOST_FILES, "a whole number"),
        )

    def keeps(self, name: str) -> bool:
        """Whether a pattern matches a file, or a directory that it is in.

        Args:
            name: Path of the file, relative to the working directory.
        """
        parts = _parts(name)
        return any(_matches(_parts(pattern), parts) for pattern in self.keep)

    def allow(self, size: int, files: int) -> bool:
        """Whether so much is within the limits.

        Args:
            size: Bytes.
            files: Number of files.
        """
        return size <= self.most_bytes and files <= self.most_files

    def __str__(self) -> str:
        return (
            f"at most {size_text(self.most_bytes)} in {files_text(self.most_files)}; "
            f"{BYTES_VARIABLE} and {FILES_VARIABLE} in the environment of the driver say otherwise"
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
        return True  # what is left of the name lies in a directory that matches
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        if not rest:
            return bool(name)
        return any(_matches(rest, name[start:]) for start in range(len(name)))
    return bool(name) and fnmatch.fnmatchcase(name[0], first) and _matches(rest, name[1:])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
