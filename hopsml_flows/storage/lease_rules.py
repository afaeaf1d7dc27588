"""Decides whether the driver that holds an experiment lives. Pure: no file, no clock, no process.

The clocks of two machines are never compared. A driver on this machine is judged by its process. A
driver on another machine is judged by its beat: it lives if the beat changes between two looks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

__all__ = ["Holder", "Life", "Watch", "first_look"]

_PATIENCE_BEATS = 3.5
"""Time that an observer waits for a beat, in intervals between beats."""

_LONG_DEAD_BEATS = 12.0
"""Silence after which a holder is dead without a wait, in intervals between beats."""


class Life(Enum):
    """What an observer knows about a holder."""

    LIVES = "lives"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that holds an experiment, as its lease file describes it.

    Args:
        token: Unique to this lease.
        process: The driver's process, as :func:`~hopsml_flows.storage.identity.this_process`
            describes it.
        seconds: Seconds between two beats of the driver.
    """

    token: str
    process: Mapping[str, Any]
    seconds: float

    def to_json(self) -> str:
        """Return the content of the lease file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, *, seconds: float) -> Holder:
        """Read a lease file. The holder of a damaged file is an unknown process.

        Args:
            text: The file's content.
            seconds: Seconds between two beats if the file does not say.
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
        """Seconds that an observer waits for a beat before it takes the holder for dead."""
        return _PATIENCE_BEATS * self.seconds


def first_look(holder: Holder, *, lives: bool | None, silent: float | None) -> Life:
    """Judge a holder without waiting.

    Args:
        holder: The holder.
        lives: Whether its process lives; None if this machine cannot know.
        silent: Seconds since the holder's last write, by the storage's clock; None if unknown.
    """
    if lives is not None:
        return Life.LIVES if lives else Life.DEAD
    if silent is not None and silent > _LONG_DEAD_BEATS * holder.seconds:
        return Life.DEAD
    return Life.UNKNOWN


class Watch:
    """Judges a holder by whether its beat changes.

    Args:
        holder: The holder.
        beat: Content of its beat file at the first look; None if there is no file.
        now: Time of that look in seconds, on a monotonic clock.
    """

    def __init__(self, holder: Holder, beat: bytes | None, now: float) -> None:
        self._beat = beat
        self._until = now + holder.patience

    def look(self, beat: bytes | None, now: float) -> Life:
        """Judge the holder by another look.

        Args:
            beat: Content of its beat file; None if there is no file.
            now: Time of the look, on the same clock.
        """
        if beat is not None and beat != self._beat:
            return Life.LIVES
        return Life.DEAD if now >= self._until else Life.UNKNOWN
