"""What a worker and the process that trains for it say to each other.

The worker sends a :class:`Work` once, and then orders, each of which the process carries out. The
process answers with what is below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Answer", "Called", "Calling", "Done", "Line", "Ready", "Tell", "Work"]


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has loaded what it needs."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the trial's log.

    Args:
        level: A level of ``logging``.
        text: The message.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Calling:
    """The training function is called now: from here its time counts."""


@dataclass(frozen=True, slots=True)
class Called:
    """The training function has returned or raised; what follows is the project's own work."""


@dataclass(frozen=True, slots=True)
class Done:
    """An order was carried out.

    Args:
        value: What came of it.
        error: What the project's own code raised instead, or None.
        unfit: Why the process should not be given another order, or "".
    """

    value: Any = None
    error: BaseException | None = None
    unfit: str = ""


Answer = Ready | Line | Calling | Called | Done

Tell = Callable[[Line | Calling | Called], None]
"""Sends a message; it returns at once, and may be called in any thread."""


class Work(Protocol):
    """What a process is started for."""

    def prepare(self) -> None:
        """Load what orders will need; the first order is not waited for."""

    def leave(self) -> None:
        """Have temporary files removed: the worker that would do so has gone.

        The process ends right after; what it does in its main thread must not notice.
        """

    def carry_out(self, order: Any, tell: Tell) -> Done:
        """Carry an order out, in the main thread.

        Args:
            order: What the worker sent.
            tell: Tells the worker of its progress.
        """
