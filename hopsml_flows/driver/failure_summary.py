"""The failures of an experiment's trials as text: each distinct one once. Pure.

Two failures are the same if their exceptions have the same type, come from the same line of the
user's code, and have messages that differ only in numbers and in values of the trials'
hyperparameters.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hopsml_flows.text import one_line, plural, shortened
from hopsml_flows.trials import Failure, TrialResult

__all__ = ["Fault", "failure_lines", "faults", "place_text"]

_MOST_FAULTS = 5
_MOST_NUMBERS = 5
_LONGEST = 600
"""Characters of a reason that are shown; of a longer one, the beginning and the end."""

_NARROWEST = 40
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure that one or more trials had.

    Args:
        failure: That of the trial with the lowest number.
        trials: The numbers of all trials that had it, in order.
    """

    failure: Failure
    trials: tuple[int, ...]


def faults(trials: Iterable[TrialResult]) -> list[Fault]:
    """Return the distinct failures of trials: the most frequent first.

    Args:
        trials: The trials, in any order; those that succeeded are passed over.
    """
    groups: dict[tuple[str, str, str], list[TrialResult]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.failure is not None:
            groups.setdefault(_key(trial, trial.failure), []).append(trial)
    found = [
        Fault(group[0].failure, tuple(trial.number for trial in group))
        for group in groups.values()
        if group[0].failure is not None
    ]
    return sorted(found, key=lambda fault: (-len(fault.trials), fault.trials[0]))


def failure_lines(
    trials: Sequence[TrialResult],
    logs_command: Callable[[int], str],
    *,
    width: int,
    here: str,
) -> list[str]:
    """Return lines that tell each distinct failure of trials once.

    Args:
        trials: All trials of an experiment.
        logs_command: The command that prints the log of the trial with a number.
        width: Columns there are. Places and commands are never broken, to be copied.
        here: The current directory, to which places are relative; "" for none.

    Returns:
        The lines; none if no trial failed.
    """
    found = faults(trials)
    if not found:
        return []
    failed = sum(len(fault.trials) for fault in found)
    lines = [f"Failures:    {failed} of {plural(len(trials), 'trial')}"]
    for fault in found[:_MOST_FAULTS]:
        lines += _fault_lines(fault, logs_command, max(width, _NARROWEST), here)
    rest = found[_MOST_FAULTS:]
    if rest:
        more = sum(len(fault.trials) for fault in rest)
        lines.append(f"  and {len(rest)} more kinds of failures, of {plural(more, 'trial')}")
    return lines


def place_text(place: str, here: str) -> str:
    """Return a place for the user to read: a file below the current directory is relative to it.

    Args:
        place: A place as a :class:`~hopsml_flows.trials.Failure` has it.
        here: The current directory; "" for none.
    """
    return place.removeprefix(f"{here.rstrip('/')}/") if here else place


def _fault_lines(
    fault: Fault, logs_command: Callable[[int], str], width: int, here: str
) -> list[str]:
    reason = shortened(one_line(str(fault.failure)), _LONGEST)
    lines = textwrap.wrap(
        reason,
        width,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
    if fault.failure.place:
        lines.append(f"    at {place_text(fault.failure.place, here)}")
    lines.append(f"    {_numbered(fault.trials)}")
    lines.append(f"    log: {logs_command(fault.trials[0])}")
    return lines


def _numbered(trials: Sequence[int]) -> str:
    if len(trials) == 1:
        return f"trial {trials[0]}"
    numbers = ", ".join(map(str, trials[:_MOST_NUMBERS]))
    more = ", …" if len(trials) > _MOST_NUMBERS else ""
    return f"{plural(len(trials), 'trial')}: {numbers}{more}"


def _key(trial: TrialResult, failure: Failure) -> tuple[str, str, str]:
    """What is alike in the same failure of different trials."""
    message = failure.message
    # The longest first: one value may be a part of another one.
    values = {value for value in trial.params.values() if isinstance(value, str) and value}
    for value in sorted(values, key=len, reverse=True):
        message = message.replace(value, "…")
    return failure.place, failure.kind, _NUMBER.sub("#", message)
