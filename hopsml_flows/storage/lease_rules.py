"""Decides whether the driver that holds an experiment lives. Pure: no file, no clock, no process.

Clocks of two machines are never compared. A driver on this machine is judged by its process. A
driver elsewhere is judged by its beat: it lives if the beat changes while the observer looks on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

__all__ = ["Holder", "Life", "Watch", "first_look"]

_PATIENCE_BEATS = 3.5
"""So many beats an observer waits for one."""

_LONG_DEAD_BEATS = 12.0
"""A holder that the storage has not heard of for so many beats is dead without waiting."""


class Life(Enum):
    """What is known of a holder."""

    LIVES = "lives"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that holds an experiment, as its lease file describes it.

    Args:
        token: Differs from that of every other lease.
        process: The driver's process, as :func:`~hopsml_flows.storage.identity.this_process`
            describes it.
        seconds: The driver writes a beat every so many seconds.
    """

    token: str
    process: Mapping[str, Any]
    seconds: float

    def to_json(self) -> str:
        """The content of the lease file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, *, seconds: float) -> Holder:
        """Read a lease file. A damaged one is held by an unknown process.

        Args:
            text: The file's content.
            seconds: How often a beat comes where the file does not say so.
        """
        try:
            content = json.loads(text)
            process, told = dict(content["process"]), float(content["seconds"])
            return cls(str(content["token"]), process, told if 0 < told < 3600 else seconds)
        except (ValueError, KeyError, TypeError):
            return cls("", {}, seconds)

    @property
    def host(self) -> str:
        """Name of the driver's machine."""
        return str(self.process.get("host", "an unknown host"))

    @property
    def pid(self) -> str:
        """Number of the driver's process."""
        return str(self.process.get("pid", "unknown"))

    @property
    def patience(self) -> float:
        """Seconds that an observer waits for a beat."""
        return _PATIENCE_BEATS * self.seconds


def first_look(holder: Holder, *, lives: bool | None, silent: float | None) -> Life:
    """Judge a holder without waiting.

    Args:
        holder: The holder.
        lives: Whether its process lives; None where that cannot be known from here.
        silent: Seconds, by the storage's own clock, since the holder wrote last; None if unknown.
    """
    if lives is not None:
        return Life.LIVES if lives else Life.DEAD
    if silent is not None and silent > _LONG_DEAD_BEATS * holder.seconds:
        return Life.DEAD
    return Life.UNKNOWN


class Watch:
    """Looks on whether a holder's beat changes.

    Args:
        holder: The holder.
        beat: Content of its beat file at the first look, or None without one.
        now: Time of that look on a clock that only goes forward.
    """

    def __init__(self, holder: Holder, beat: bytes | None, now: float) -> None:
        self._beat = beat
        self._until = now + holder.patience

    def look(self, beat: bytes | None, now: float) -> Life:
        """Judge the holder by another look.

        Args:
            beat: Content of its beat file, or None without one.
            now: Time of the look.
        """
        if beat is not None and beat != self._beat:
            return Life.LIVES
        return Life.DEAD if now >= self._until else Life.UNKNOWN
