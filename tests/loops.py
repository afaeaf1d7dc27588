"""Feeding a trial loop."""

from __future__ import annotations

from hopsml_flows.trials import (
    CloseGeneration,
    GiveUpTrial,
    KeepResult,
    SlotsFree,
    SubmitTrial,
    TrialDone,
    TrialLost,
)


def submitted(instructions):
    return [said.trial for said in instructions if isinstance(said, SubmitTrial)]


def closed(instructions):
    return [said.generation for said in instructions if isinstance(said, CloseGeneration)]


def start(loop, slots, ahead=0):
    """Tell a loop that slots are free; the trials to submit."""
    return submitted(loop.handle(SlotsFree(slots, ahead)))


def finish(loop, result):
    """Tell a loop a result; the generations that it closes."""
    kept, *others = loop.handle(TrialDone(result))
    assert kept == KeepResult(result)
    assert all(isinstance(other, CloseGeneration) for other in others)
    return closed(others)


def lose(loop, number, reason, *, cut_off=False):
    """Tell a loop that a worker died; the failed result, or None if the trial is tried again."""
    first = loop.handle(TrialLost(number, reason, cut_off=cut_off))[0]
    return first.result if isinstance(first, GiveUpTrial) else None
