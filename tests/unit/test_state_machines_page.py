"""The page that draws the driver's state machines knows all their events and instructions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from hopsml_flows.trials import (
    GangEvent,
    GangInstruction,
    LoopEvent,
    LoopInstruction,
    QueueEvent,
    QueueInstruction,
)

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "state-machines.md"
MACHINES = {
    "The trial loop": (LoopEvent, LoopInstruction),
    "The queue for seats": (QueueEvent, QueueInstruction),
    "The gang": (GangEvent, GangInstruction),
}


def section(title):
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (text,) = [part for part in sections if part.startswith(title)]
    return text


@pytest.mark.parametrize("title", MACHINES)
def test_the_tables_of_a_machine_name_its_events_and_instructions_and_no_others(title):
    events, instructions = re.split(r"^\| instruction ", section(title), flags=re.MULTILINE)
    for text, kinds in zip((events, instructions), MACHINES[title], strict=True):
        rows = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
        assert sorted(rows) == sorted(kind.__name__ for kind in get_args(kinds))


@pytest.mark.parametrize("title", MACHINES)
def test_the_drawing_of_a_machine_shows_its_events(title):
    (drawing,) = re.findall(r"```mermaid\n(.*?)```", section(title), flags=re.DOTALL)
    shown = set(re.findall(r"\w+", drawing))
    events, instructions = MACHINES[title]
    silent = {"MemberMoved", "MemberEnded", "SeatLost", "CloseGeneration"}  # change no state drawn
    names = {kind.__name__ for kind in (*get_args(events), *get_args(instructions))}
    assert names - silent <= shown
