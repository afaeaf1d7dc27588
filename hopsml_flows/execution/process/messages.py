"""The messages between a worker and its training process.

The worker sends one :class:`Work`, then orders. The process carries out each order and answers with
the messages of this module.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hopsml_flows.execution.report_link import Instruction, ReportLink

__all__ = [
    "Answer",
    "Called",
    "Calling",
    "Done",
    "Line",
    "Listener",
    "Ready",
    "Reported",
    "Tell",
    "Work",
    "decoded",
    "encoded",
]

_INSTRUCTION = b"!"
"""First byte of an instruction: neither a pickle nor credentials begin with it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has loaded what its orders will need."""


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
class Reported:
    """The training function has reported metrics.

    Args:
        reports: Pairs of step and metric, in order.
        asked: Whether the function has been asked to stop, by an exception.
    """

    reports: tuple[tuple[int, float], ...]
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Calling:
    """The process calls the training function now: its time counts from here."""


@dataclass(frozen=True, slots=True)
class Called:
    """The training function has returned or raised: its time no longer counts."""


@dataclass(frozen=True, slots=True)
class Done:
    """The process has carried out an order.

    Args:
        value: The order's result.
        error: The exception that hopsml-flows itself raised instead, or None.
        unfit: Why the process should not get another order; "" if it may.
    """

    value: Any = None
    error: BaseException | None = None
    unfit: str = ""


Answer = Ready | Line | Reported | Calling | Called | Done

Tell = Callable[[Line | ReportLink | Calling | Called], None]
"""Sends a message to the worker; any thread may call it. It waits only until a Calling is sent. Of
a link it sends the reports that are there then."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What a worker does with messages that come while a trial runs.

    Args:
        lines: Gets level and text of each message of the trial's log; None to drop them.
        reports: Gets pairs of step and metric; None to drop them.
    """

    lines: Callable[[int, str], None] | None = None
    reports: Callable[[tuple[tuple[int, float], ...]], None] | None = None


def encoded(instruction: Instruction) -> bytes:
    """Encode an instruction as a message to the training process.

    Args:
        instruction: The instruction.
    """
    return _INSTRUCTION + pickle.dumps(instruction)


def decoded(message: bytes) -> Instruction | None:
    """Decode the instruction in a message; None if it holds something else.

    Args:
        message: A message that came from the worker.
    """
    if not message.startswith(_INSTRUCTION):
        return None
    instruction: Instruction = pickle.loads(message[len(_INSTRUCTION) :])
    return instruction


class Work(Protocol):
    """What a training process does with its orders."""

    def prepare(self) -> None:
        """Load what orders will need, without waiting for the first."""

    def leave(self) -> None:
        """Have temporary files removed, in place of the worker, which is gone.

        The process ends right after. Until then, code in its main thread must not notice this.
        """

    def carry_out(self, order: Any, tell: Tell) -> Done:
        """Carry out an order in the main thread.

        Args:
            order: The order that the worker sent.
            tell: Sends messages about the progress to the worker.
        """
