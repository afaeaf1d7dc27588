"""The journal of an asynchronous search: what happened, and what was decided, in order. Pure.

The same lines, fed to the same search, give the same decisions (:func:`replayed`). A proposal's
random numbers come from the seed and its number, and no decision depends on a clock.
:mod:`hopsml_flows.trials.journal_lines` describes the lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.trials.journal_lines import RUN, SCHEMA, event_of, line_of, text_of
from hopsml_flows.trials.loop_messages import (
    GiveUpTrial,
    LoopEvent,
    LoopInstruction,
    SlotsFree,
    SubmitTrial,
    TrialReplayed,
)
from hopsml_flows.trials.model import Trial, TrialResult

if TYPE_CHECKING:
    from hopsml_flows.trials.loop import TrialLoop

__all__ = ["Journal", "Mismatch", "Run", "replayed", "restored"]


@dataclass(frozen=True, slots=True)
class Run:
    """The part of a journal that one run of the experiment wrote.

    Args:
        making: What its search and its rule were made of.
        recalled: Hyperparameters of the proposals that its search was to repeat, by number.
        lines: Numbers of its lines in the journal, from 1.
    """

    making: Mapping[str, Any]
    recalled: Mapping[int, dict[str, Any]]
    lines: range


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read.

    Args:
        experiment: The experiment's identifier.
        entries: Its lines after the header, in order.
        text: All of its whole lines.
        is_whole: Whether there is nothing after them.
    """

    experiment: str
    entries: tuple[dict[str, Any], ...]
    text: str
    is_whole: bool = True

    @classmethod
    def read(cls, file: str, content: str | bytes) -> Journal:
        """Read a journal.

        A last line that is cut short is left out: the driver died while it wrote that.

        Args:
            file: What to call the file in an error.
            content: Its content.

        Raises:
            DamagedFileError: It is no journal.
        """
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        lines = text.split("\n")
        rest = lines.pop()  # what follows the last end of a line: nothing, or a line cut short
        entries = [_parsed(file, place, line) for place, line in enumerate(lines, 1)]
        first = entries[0] if entries else {}
        if first.get("event") != "begin" or not isinstance(first.get("experiment"), str):
            raise DamagedFileError(file, "does not begin with the header of a journal")
        if first.get("schema") != SCHEMA:
            raise DamagedFileError(file, f"has schema {first.get('schema')!r}, not {SCHEMA}")
        whole = "".join(f"{line}\n" for line in lines)
        return cls(first["experiment"], tuple(entries[1:]), whole, is_whole=not rest)

    @property
    def proposals(self) -> dict[int, dict[str, Any]]:
        """The hyperparameters of all proposals, as JSON has them, by number."""
        return _proposed(self.entries)

    @property
    def runs(self) -> list[Run]:
        """The runs that wrote the journal, in order.

        Raises:
            DamagedFileError: A line with which one begins lacks something.
        """
        begins = [place for place, entry in enumerate(self.entries) if entry["event"] == RUN]
        runs: list[Run] = []
        recalled: dict[int, dict[str, Any]] = {}
        for begin, end in pairwise([*begins, len(self.entries)]):
            entry = self.entries[begin]
            try:
                recalled |= {int(number): kept for number, kept in entry["recalled"].items()}
                making = dict(entry["search"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                line = f"has a wrong line {begin + _FIRST} ({error!r})"
                raise DamagedFileError("the journal", line) from error
            known = recalled | _proposed(self.entries[:begin])
            runs.append(Run(making, known, range(begin + _FIRST + 1, end + _FIRST)))
        return runs


_FIRST = 2
"""Number of the line after the header."""


def _proposed(entries: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Hyperparameters by number."""
    return {
        trial["number"]: trial["params"]
        for entry in entries
        if entry["event"] == "ask"
        for trial in entry["trials"]
    }


def _parsed(file: str, place: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(file, f"has in line {place} what is not JSON ({error})") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("event"), str):
        raise DamagedFileError(file, f"has in line {place} what is no entry of a journal")
    return entry


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A line whose decision did not come out again.

    Args:
        line: Number of the line in the journal, from 1.
        recorded: The line.
        replayed: What came out; None for nothing.
    """

    line: int
    recorded: str
    replayed: str | None


def restored(
    loop: TrialLoop, journal: Journal, results: Mapping[int, TrialResult]
) -> Iterator[TrialResult]:
    """Bring a trial loop to where the runs that wrote a journal ended.

    What the journal says is taken as it was, whatever the loop would decide now: a resumed run may
    have other retries, another rule, or more trials. A trial that succeeded and has no result any
    more is gone: it ends in :attr:`TrialLoop.gone`.

    Args:
        loop: A loop with a fresh search and rule; the search recalls the journal's proposals.
        journal: The journal.
        results: Results of trials with all that their files have, by number.

    Yields:
        The results that count.

    Raises:
        DamagedFileError: A line says what this version does not know, or what cannot be.
    """
    for _, event, instructions in _fed(loop, journal, results=results):
        if isinstance(event, TrialReplayed) and not event.is_gone:
            yield event.result
        yield from (said.result for said in instructions if isinstance(said, GiveUpTrial))


def replayed(loop: TrialLoop, journal: Journal, run: Run) -> Iterator[Mismatch]:
    """Let a trial loop decide again what a run of an experiment decided.

    Args:
        loop: A loop with a fresh search and rule, made as the run's were; the search recalls what
            that of the run did.
        journal: The journal.
        run: The run. The lines before it are taken as they were.

    Yields:
        The lines of the run whose decision does not come out again. After one, a later line may say
        what cannot be any more: it is the last.

    Raises:
        DamagedFileError: A line says what this version does not know, or what cannot be.
    """
    for place, event, instructions in _fed(loop, journal, compared=run.lines):
        if place in run.lines:
            recorded = text_of(journal.entries[place - _FIRST])
            now = None if event is None else line_of(event, instructions)
            if now != recorded:
                yield Mismatch(place, recorded, now)


def _fed(
    loop: TrialLoop,
    journal: Journal,
    *,
    results: Mapping[int, TrialResult] | None = None,
    compared: range | None = None,
) -> Iterator[tuple[int, LoopEvent | None, list[LoopInstruction]]]:
    """Feed a journal to a trial loop, up to the end of the lines that are compared.

    Yields:
        Number, event and instructions of each line. The event is None if it cannot be, after a
        decision of the compared lines has come out otherwise; that line is the last one.
    """
    begun: dict[int, Trial] = {}
    repeated = {
        entry.get("trial"): place
        for place, entry in enumerate(journal.entries, _FIRST)
        if entry["event"] == "repeat"
    }
    for place, entry in enumerate(journal.entries, _FIRST):
        if compared is not None and place == compared.stop:
            return
        if entry["event"] == RUN:
            loop.reopen()
            continue
        as_then = compared is None or place not in compared
        number = entry.get("trial", 0)
        if entry["event"] in _OF_RUNNING and not loop.runs(number):
            if as_then:
                raise DamagedFileError(
                    "the journal", f"has a wrong line {place}: trial {number} does not run there"
                )
            yield place, None, []
            return
        known = None if results is None else results.get(number)
        is_gone = place < repeated.get(number, 0) or (
            results is not None and known is None and "failure" not in entry
        )
        event = event_of(entry, begun, place, known=known, is_gone=is_gone, as_then=as_then)
        if isinstance(event, TrialReplayed):
            event = replace(event, result=loop.explained(event.result))
        instructions = loop.handle(event)
        started = [said.trial for said in instructions if isinstance(said, SubmitTrial)]
        begun.update({trial.number: trial for trial in started})
        if isinstance(event, SlotsFree) and event.starts is not None:
            missing = [number for number in event.starts if not loop.runs(number)]
            if missing:
                raise DamagedFileError(
                    "the journal",
                    f"has in line {place} trial {missing[0]}, which the search does not propose",
                )
        yield place, event, instructions


_OF_RUNNING = frozenset({"done", "lost", "stop", "return"})
"""Events that only a trial can have that runs."""
