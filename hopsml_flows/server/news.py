"""What an embedded server's process tells its parent while it starts: JSON lines in a pipe."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum

__all__ = ["Failure", "Inbox", "Phase", "send"]


class Phase(StrEnum):
    """What the process is doing; at first it imports, which is a part of STARTING."""

    WAITING = "waiting"  # another process brings the same database up to date
    MIGRATING = "migrating"
    STARTING = "starting"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the process cannot serve.

    Args:
        kind: ``"newer database"``, or ``"start"`` for all other reasons.
        detail: The unknown revision, or the error in one line.
    """

    kind: str
    detail: str


def send(descriptor: int, told: Phase | Failure) -> None:
    """Write to the pipe; a parent that is gone reads nothing.

    Args:
        descriptor: The pipe's end.
        told: What happened.
    """
    content = {"phase": told.value} if isinstance(told, Phase) else asdict(told)
    # No longer than what a pipe takes as a whole.
    line = json.dumps({name: text[:1000] for name, text in content.items()})
    with suppress(BrokenPipeError):
        os.write(descriptor, f"{line}\n".encode())


class Inbox:
    """The parent's end of the pipe, read without waiting.

    Args:
        descriptor: It is closed with :meth:`close`.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._read = b""
        self.phase = Phase.STARTING
        self.failure: Failure | None = None

    def look(self) -> bool:
        """Take in what has come; whether the phase is another now."""
        before = self.phase
        with suppress(BlockingIOError):
            while part := os.read(self._descriptor, 4096):
                self._read += part
        *lines, self._read = self._read.split(b"\n")
        for line in lines:
            content = json.loads(line)
            if "phase" in content:
                self.phase = Phase(content["phase"])
            else:
                self.failure = Failure(**content)
        return self.phase is not before

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)
