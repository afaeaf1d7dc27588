"""What the state machines of the driver share: events in, instructions out, a log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Recorder", "StateMachine", "ignore", "replay"]

Event = TypeVar("Event")
EventIn = TypeVar("EventIn", contravariant=True)
Instruction = TypeVar("Instruction")

Recorder = Callable[[object, Sequence[object]], None]
"""Called with each event that a machine handled and the instructions that it returned."""


class StateMachine(Protocol[EventIn, Instruction]):
    """Decides what follows from an event; it has no clock and does no I/O."""

    def handle(self, event: EventIn, /) -> list[Instruction]:
        """Change the state by an event; return what the caller is to do, in order."""
        ...


def replay(
    machine: StateMachine[Event, Instruction], events: Iterable[Event]
) -> list[list[Instruction]]:
    """Feed logged events to a machine that is as the logged one was at first.

    Args:
        machine: The machine; for a trial loop, with a fresh search of the same seed.
        events: The events of a log, from its start.

    Returns:
        The instructions for each event.
    """
    return [machine.handle(event) for event in events]


def ignore(event: object, instructions: Sequence[object]) -> None:
    """Record nothing: no log is kept unless a recorder is given."""
