"""The record of a model's version: its files, its metrics, and where it comes from. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from hopsml_flows.errors import DamagedFileError, InvalidOutputError
from hopsml_flows.models.names import is_model_name
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import FILE_LEVELS, json_value, with_floats, without_floats

__all__ = ["LIBRARY_OF_FILES", "SCHEMA", "ModelFile", "ModelRecord", "Origin", "is_file_name"]

SCHEMA = 1
"""Version of the record's layout, written into each record."""

LIBRARY_OF_FILES = "files"
"""The library of a model that was given as a file or a directory."""

_NOT_FINITE = "not_finite"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model.

    Args:
        name: Relative to the version's directory, with ``/`` between parts.
        size: Its bytes.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The experiment that a model comes from; empty for one that was exported elsewhere.

    Args:
        experiment: The experiment's identifier, or None.
        trial: The trial's number, or None.
        trial_directory: The trial's directory, relative to the project, or None.
        params: The trial's hyperparameters, as JSON values.
        program: The experiment's program, relative to the project, or None.
    """

    experiment: str | None = None
    trial: int | None = None
    trial_directory: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    program: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is kept about a version of a model.

    Args:
        name: The model's name.
        version: From 1.
        created: When it was exported, ISO 8601 in UTC.
        files: Its files, sorted by name.
        metrics: Metric's name to number.
        description: The user's words, or None.
        input_signature: What the model takes, as JSON values; None if it was not given.
        library: The library that saved it: "keras", "tf_keras", "torch", "tensorflow",
            "sklearn", or "files".
        library_version: The library's version, or None.
        project: Name of the project that it was exported in.
        user: Login name of the user who exported it.
        origin: The experiment that it comes from.
        confirmed: By metric, what evaluations on fresh seeds say of it: ``direction``, ``mean``
            (the corrected metric), ``interval``, ``metrics``, ``optimistic`` (what the search
            found), ``experiment`` (which evaluated it); empty where none did.
        schema: Version of this layout.

    Example:
        >>> record = ModelRecord("digits", 1, "2026-01-31T12:00:00+00:00", metrics={"loss": 0.5})
        >>> ModelRecord.from_json("digits/1", record.to_json()) == record
        True
    """

    name: str
    version: int
    created: str
    files: tuple[ModelFile, ...] = ()
    metrics: dict[str, int | float] = field(default_factory=dict)
    description: str | None = None
    input_signature: Any = None
    library: str = LIBRARY_OF_FILES
    library_version: str | None = None
    project: str = ""
    user: str = ""
    origin: Origin = field(default_factory=Origin)
    confirmed: dict[str, dict[str, Any]] = field(default_factory=dict)
    schema: int = SCHEMA

    def value(self, metric: str) -> int | float | None:
        """Return a metric: the corrected one where there is one, or None.

        Args:
            metric: The metric's name.
        """
        corrected = self.confirmed.get(metric)
        found: int | float | None = (corrected or {}).get("mean", self.metrics.get(metric))
        return found

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def created_seconds(self) -> float | None:
        """When it was exported, seconds since 1970; None if the record's time is none."""
        try:
            return datetime.fromisoformat(self.created).timestamp()
        except (ValueError, OverflowError):
            return None

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with text for numbers that are not finite."""
        content, paths = without_floats(
            json_value("model", asdict(self), floats=True, levels=FILE_LEVELS)
        )
        return {**content, **({_NOT_FINITE: paths} if paths else {})}

    def to_json(self) -> str:
        """Return the record as the file's content, strict JSON."""
        return json.dumps(self.as_json(), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, file: str, text: str | bytes) -> ModelRecord:
        """Return the record that was written, without what this version does not know.

        Args:
            file: What to call the file in an error.
            text: The file's content.

        Raises:
            DamagedFileError: It is no record.
        """
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise ValueError("holds no object")
            content = with_floats(content, content.pop(_NOT_FINITE, ()))
            json_value("model", content, floats=True, levels=FILE_LEVELS)
            known = {name: content[name] for name in cls.__slots__ if name in content}
            known["files"] = tuple(map(_file, known.get("files", ())))
            known["origin"] = _origin(known.get("origin", {}))
            record = cls(**known)
            _check(record)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DamagedFileError(file, f"is no record of a model ({error})") from error
        except (RecursionError, InvalidOutputError):
            pass  # its traceback has hundreds of frames
        else:
            return record
        raise DamagedFileError(file, "is nested too deep")


def _file(entry: Mapping[str, Any]) -> ModelFile:
    file = ModelFile(entry["name"], entry["size"], entry["sha256"])
    if not is_file_name(file.name):
        raise ValueError(f"{file.name!r:.80} is no file below the version's directory")
    if not is_whole(file.size) or file.size < 0 or not _SHA256.fullmatch(file.sha256):
        raise ValueError(f"size or sha256 of {file.name:.80} is wrong")
    return file


def is_file_name(name: object) -> bool:
    """Whether a name leads to a file below a directory, and to no other place.

    Args:
        name: The name; whoever can edit a record can write anything there.

    Example:
        >>> is_file_name("variables/index"), is_file_name("../index"), is_file_name("/etc/passwd")
        (True, False, False)
    """
    if not isinstance(name, str) or "\0" in name or "\\" in name:
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))


def _origin(entry: Mapping[str, Any]) -> Origin:
    return Origin(**{name: entry[name] for name in Origin.__slots__ if name in entry})


def _check(record: ModelRecord) -> None:
    origin = record.origin
    texts = (record.name, record.created, record.library, record.project, record.user)
    maybe = (
        *(record.description, record.library_version, origin.experiment, origin.program),
        origin.trial_directory,
    )
    if not all(isinstance(text, str) for text in texts) or not is_model_name(record.name):
        raise ValueError("a text is missing, or is none")
    if not all(text is None or isinstance(text, str) for text in maybe):
        raise ValueError("what should be a text is none")
    for path in (origin.trial_directory, origin.program):
        if path is not None and not is_file_name(path):  # readers follow it
            raise ValueError(f"{path!r:.80} is no place in the project")
    if not is_whole(record.version) or record.version < 1 or not is_whole(record.schema):
        raise ValueError("version or schema is no number")
    if not isinstance(record.metrics, dict) or not all(map(is_number, record.metrics.values())):
        raise ValueError("metrics are no object of numbers")
    if not isinstance(record.confirmed, dict) or not all(map(_is_told, record.confirmed.values())):
        raise ValueError("confirmed is no object of evaluations")
    if not (origin.trial is None or is_whole(origin.trial)) or not isinstance(origin.params, dict):
        raise ValueError("the origin's trial is none")


def _is_told(confirmed: object) -> bool:
    """Whether this says what evaluations on fresh seeds say."""
    return isinstance(confirmed, dict) and is_number(confirmed.get("mean"))
