"""The lines of a journal: events of the trial loop as JSON objects, and back. Pure.

The first line is the header. Each further line has an event and the instructions that followed, as
far as a search depends on them:

==========  ========================================================================================
``event``   what the line says
==========  ========================================================================================
``run``     a run of the experiment begins, the first one or a resumed one; ``search`` is what the
            search and the rule are made of, ``recalled`` what it takes over besides the journal
``ask``     workers were free; ``trials`` were proposed, or started again
``report``  a trial reported ``reports``, pairs of step and value; ``stop`` and ``extend`` say what
            was decided
``done``    a trial ended with ``state`` and ``metric``, or with ``failure``
``lost``    a trial's worker died; ``again`` says whether the trial is tried again, ``cut_off`` that
            only the connection to the worker broke
``stop``    the driver stopped a trial
``return``  storage, or the end of the driver, kept a trial from running to its end; it starts again
``repeat``  a trial that had ended runs again, since its files are gone; the search has its result
``spent``   the experiment's time is spent
==========  ========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.trials.loop_messages import (
    BudgetSpent,
    ExtendTrial,
    LoopEvent,
    LoopInstruction,
    RetryTrial,
    SlotsFree,
    StopTrial,
    SubmitTrial,
    TrialDone,
    TrialLost,
    TrialRepeated,
    TrialReplayed,
    TrialReported,
    TrialReturned,
    TrialStopped,
)
from hopsml_flows.trials.model import Failure, State, Trial, TrialResult
from hopsml_flows.trials.naming import number_of
from hopsml_flows.trials.reports import Report
from hopsml_flows.values.plain import FILE_LEVELS, image_key, is_finite, json_value

__all__ = ["RUN", "SCHEMA", "event_of", "header_line", "line_of", "run_line", "text_of"]

RUN = "run"
"""Event of the line with which a run begins; it is none of the trial loop's."""

SCHEMA = 1
"""Version of the journal's layout, written into its header."""


def header_line(experiment: str) -> str:
    """The first line of a journal.

    Args:
        experiment: The experiment's identifier.
    """
    return text_of({"event": "begin", "schema": SCHEMA, "experiment": experiment})


def run_line(making: Mapping[str, Any], recalled: Mapping[int, Mapping[str, Any]]) -> str:
    """The line with which each run of an experiment begins: the first one, and each resumed one.

    Args:
        making: What the search and the rule are made of.
        recalled: Hyperparameters of trials by number that a resumed run takes over from their
            directories, since the journal lacks them.
    """
    proposals = {
        str(number): json_value("params", dict(params), levels=FILE_LEVELS)
        for number, params in sorted(recalled.items())
    }
    return text_of({"event": RUN, "search": dict(making), "recalled": proposals})


def line_of(event: LoopEvent, instructions: Sequence[LoopInstruction]) -> str | None:
    r"""The line of an event and the instructions that followed; None where nothing depends on it.

    Args:
        event: The event.
        instructions: What the trial loop answered.

    Example:
        >>> line_of(TrialReported(3, 1, (Report(0.5, step=0),)), [])
        '{"event": "report", "trial": 3, "attempt": 1, "reports": [[0, 0.5]]}\n'
        >>> line_of(SlotsFree(4), []) is None
        True
    """
    entry = _entry(event, instructions)
    return None if entry is None else text_of(entry)


def _entry(event: LoopEvent, instructions: Sequence[LoopInstruction]) -> dict[str, Any] | None:
    match event:
        case SlotsFree():
            return _asked(event, instructions)
        case TrialReported():
            return _reported(event, instructions)
        case TrialDone(result):
            return _done(result)
        case TrialReplayed(result, told):
            return _done(told or result)
        case TrialRepeated(number):
            return {"event": "repeat", "trial": number}
        case TrialLost(number, reason):
            again = any(isinstance(said, RetryTrial) for said in instructions)
            cut = {"cut_off": True} if event.cut_off else {}
            return {"event": "lost", "trial": number, "reason": reason, "again": again, **cut}
        case TrialStopped(number, reason):
            return {"event": "stop", "trial": number, "reason": reason}
        case TrialReturned(number):
            return {"event": "return", "trial": number}
        case BudgetSpent():
            return {"event": "spent"}


def _asked(event: SlotsFree, instructions: Sequence[LoopInstruction]) -> dict[str, Any] | None:
    trials = [_trial(said.trial) for said in instructions if isinstance(said, SubmitTrial)]
    if not trials:
        return None
    return {"event": "ask", "slots": event.slots, "ahead": event.ahead, "trials": trials}


def _reported(event: TrialReported, instructions: Sequence[LoopInstruction]) -> dict[str, Any]:
    reports = [[report.step, _number(report.metric)] for report in event.reports]
    entry: dict[str, Any] = {"event": "report", "trial": event.number, "attempt": event.attempt}
    entry["reports"] = reports
    for said in instructions:
        match said:
            case StopTrial(_, why):
                entry["stop"] = why.as_json()
            case ExtendTrial(trial, why):
                entry["extend"] = {"budget": trial.budget, "why": why.as_json()}
    return entry


def _done(result: TrialResult) -> dict[str, Any]:
    entry: dict[str, Any] = {"event": "done", "trial": result.number, "state": result.state.value}
    if result.metric is not None:
        entry["metric"] = result.metric
    if result.failure is not None:
        entry["failure"] = str(result.failure)
    return entry


def _trial(trial: Trial) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "number": trial.number,
        "params": json_value("params", trial.params, levels=FILE_LEVELS),
    }
    optional = {
        "attempt": trial.attempt if trial.attempt > 1 else None,
        "budget": trial.budget,
        "continues": None if trial.continues is None else number_of(trial.continues),
    }
    return entry | {name: value for name, value in optional.items() if value is not None}


def _number(value: float) -> float | str:
    """A number as strict JSON has it: one that is not finite is a string."""
    return value if is_finite(value) else str(value)


def text_of(entry: Mapping[str, Any]) -> str:
    """An entry as a line of the journal."""
    return json.dumps(entry, allow_nan=False) + "\n"


def event_of(
    entry: Mapping[str, Any],
    begun: Mapping[int, Trial],
    place: int,
    *,
    known: TrialResult | None = None,
    is_gone: bool = False,
    as_then: bool = False,
) -> LoopEvent:
    """The event that an entry tells of.

    Args:
        entry: The entry.
        begun: The trials that were started, by number.
        place: Number of the entry's line, for errors.
        known: The trial's result with all that its files have, or None.
        is_gone: Whether the files of the trial that ended are gone.
        as_then: Whether the loop is to do what it did then, not what it would do now.

    Raises:
        DamagedFileError: It says what this version does not know.
    """
    try:
        match entry["event"]:
            case "ask":
                starts = tuple(trial["number"] for trial in entry["trials"])
                return SlotsFree(entry["slots"], entry["ahead"], starts if as_then else None)
            case "report":
                reports = tuple(Report(float(value), step) for step, value in entry["reports"])
                return TrialReported(entry["trial"], entry["attempt"], reports)
            case "done":
                return _replayed(_result(entry, begun[entry["trial"]]), known, is_gone=is_gone)
            case "repeat":
                return TrialRepeated(entry["trial"])
            case "lost":
                again = bool(entry["again"]) if as_then else None
                cut_off = bool(entry.get("cut_off", False))
                return TrialLost(entry["trial"], entry["reason"], again=again, cut_off=cut_off)
            case "stop":
                return TrialStopped(entry["trial"], entry["reason"])
            case "return":
                return TrialReturned(entry["trial"])
            case "spent":
                return BudgetSpent()
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError("the journal", f"has a wrong line {place} ({error!r})") from error
    raise DamagedFileError(
        "the journal", f"has in line {place} the event {entry['event']!r}, which is not known"
    )


def _replayed(told: TrialResult, known: TrialResult | None, *, is_gone: bool) -> TrialReplayed:
    if known is None or image_key(known.params) != image_key(told.params):
        return TrialReplayed(told, is_gone=is_gone or known is not None)
    known = replace(known, name=told.name, params=told.params)  # files have images of the values
    is_other = (known.state, known.metric) != (told.state, told.metric)
    return TrialReplayed(known, told if is_other else None, is_gone)


def _result(entry: Mapping[str, Any], trial: Trial) -> TrialResult:
    """The result of a trial, as far as an entry has it."""
    kind, _, message = str(entry.get("failure", "")).partition(": ")
    return TrialResult(
        number=trial.number,
        name=trial.name,
        params=trial.params,
        state=State(entry["state"]),
        metric=entry.get("metric"),
        directory=trial.directory,
        attempt=trial.attempt,
        failure=Failure(kind, message) if kind else None,
        generation=trial.generation,
        budget=trial.budget,
    )
