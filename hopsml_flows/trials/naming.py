"""Names of trials and experiments: readable, and safe on every file system.

Pure. HDFS forbids ``:``, URLs decode ``%``, shells and HopsML's own ``p=v&`` names break on the
rest: only ``[A-Za-z0-9._=-]`` remains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hopsml_flows.values.plain import is_jsonable, json_value

__all__ = [
    "CONFIRMATION",
    "UNNAMED",
    "experiment_id",
    "generation_name",
    "generation_of",
    "name_of",
    "number_of",
    "run_name",
    "slug",
    "stamp_of",
    "trial_name",
]

UNNAMED = "experiment"
"""Name of an experiment that has none, and whose training function has none."""

CONFIRMATION = "confirmation"
"""Directory with the trials that confirm the winner of a search."""

MAX_LENGTH = 100
"""Longest name of a trial's directory, in characters."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")
_NUMBER = re.compile(r"(\d{4,18})(-|$)")
_GENERATION = re.compile(r"generation\.(\d{1,18})")
_EXPERIMENT = re.compile(r"[a-z0-9][a-z0-9-]*-(\d{8}-\d{6})-[0-9a-f]{6}")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def trial_name(number: int, params: Mapping[str, Any], order: Iterable[str] = ()) -> str:
    """Name of a trial's directory, such as ``0007-learning_rate=0.001-dropout=0.45``.

    The number makes it unique; the rest is for people, and is cut where it grows too long.

    Args:
        number: The trial's number, from 1.
        params: Its hyperparameters.
        order: Names that come first, in this order (the function's signature).
    """
    names = [name for name in order if name in params]
    names += [name for name in params if name not in names]
    pairs = [_safe(f"{name}={_text(params[name])}") for name in names]
    return "-".join([f"{number:04d}", *pairs])[:MAX_LENGTH].rstrip(".-_=")


def generation_name(number: int) -> str:
    """Name of a generation's directory, such as ``generation.0``, as HopsML's."""
    return f"generation.{number}"


def generation_of(directory: str) -> int | None:
    """The generation that a directory is named for, or None."""
    matched = _GENERATION.fullmatch(directory)
    return int(matched[1]) if matched else None


def number_of(directory: str) -> int | None:
    """The number of the trial that a directory is named for, or None."""
    matched = _NUMBER.match(directory)
    return int(matched[1]) if matched else None


def slug(name: str, limit: int = 40) -> str:
    """A name as lower-case letters, digits and single dashes; "experiment" if none is left."""
    return _NOT_SLUG.sub("-", name.lower()).strip("-")[:limit].strip("-") or UNNAMED


def experiment_id(name: str, stamp: str, suffix: str) -> str:
    """Identifier of an experiment: ``<slug>-<yyyymmdd-hhmmss>-<6 hex>``.

    Args:
        name: The experiment's name.
        stamp: Start in UTC, ``yyyymmdd-hhmmss``.
        suffix: Six hex digits that keep experiments of one second apart.
    """
    return f"{slug(name)}-{stamp}-{suffix}"


def run_name(name: str, attempt: int) -> str:
    """Name of a flow run in Prefect, such as ``digits-20260101-120000-ab12cd attempt 2``.

    Args:
        name: The experiment's identifier, or that of a part of it.
        attempt: Which attempt at the experiment the run is, from 1; the first one is not marked.
    """
    return name if attempt == 1 else f"{name} attempt {attempt}"


def stamp_of(name: str) -> str | None:
    """The start, ``yyyymmdd-hhmmss`` in UTC, in an experiment's identifier; None if it is none."""
    matched = _EXPERIMENT.fullmatch(name)
    return matched[1] if matched else None


def name_of(experiment_id: str) -> str:
    """The name in an experiment's identifier: what stands before the time of its start.

    Args:
        experiment_id: The identifier.

    Example:
        >>> name_of("digits-20260101-120000-ab12cd")
        'digits'
    """
    stamp = stamp_of(experiment_id)
    return experiment_id.rpartition(f"-{stamp}-")[0] if stamp else experiment_id


def _text(value: object) -> str:
    """A value in a name: the same in every process, whatever the order of a set."""
    if isinstance(value, float) or not is_jsonable(value):
        return repr(value)
    image = json_value("value", value)
    return image if isinstance(image, str) else repr(image)


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text).strip("_")
