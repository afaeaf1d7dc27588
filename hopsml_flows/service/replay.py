"""Runs an asynchronous search again from its journal, without training.

The optimizer and the rule of early stopping are made as the journal says, fed with what it says
they were told, and must decide the same. A resumed run made them again, perhaps for more trials:
its lines are compared with what these decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hopsml_flows.errors import (
    DamagedFileError,
    FunctionNotFoundError,
    NotFoundError,
    UnsupportedOperationError,
)
from hopsml_flows.execution.function import imported, is_loaded_from_file
from hopsml_flows.maggy.any_optimizer import make_optimizer
from hopsml_flows.maggy.early_stop_adapter import AdaptedEarlyStop
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.search import Direction, Optimizer, SearchSpace
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import LARGEST_JOURNAL, content_of
from hopsml_flows.tracking import ExperimentRecord, read_record
from hopsml_flows.trials import EarlyStop, TrialLoop
from hopsml_flows.trials.early_stop.registry import early_stop_rule
from hopsml_flows.trials.journal import Journal, Mismatch, Run, replayed
from hopsml_flows.values.plain import IS_OBJECT, class_name

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of replaying a journal.

    Args:
        proposals: Trials that were proposed.
        reports: Reports that were judged.
        stops: Trials that were stopped or paused.
        mismatches: Lines whose decision did not come out again, in order.
    """

    proposals: int
    reports: int
    stops: int
    mismatches: Sequence[Mismatch] = field(default_factory=tuple)


def replay(project: Project, paths: ExperimentPaths) -> Replay:
    """Replay the journal of an experiment.

    Args:
        project: The project.
        paths: The experiment's paths.

    Returns:
        What was decided, and what did not come out again.

    Raises:
        NotFoundError: The experiment has no journal, or no record.
        DamagedFileError: Its record or journal cannot be understood.
        StorageUnavailableError: Storage does not give them.
        UnsupportedOperationError: The optimizer or the rule cannot be made again: it was given as
            an object, or is not in a module.
    """
    content = content_of(project, paths.journal, LARGEST_JOURNAL)
    if content is None:
        raise NotFoundError(
            "ID", paths.id, because="it has no journal: it was no asynchronous search"
        )
    journal = Journal.read(project.full(paths.journal), content)
    record = read_record(project, paths.id)
    if record is None:
        raise NotFoundError("ID", paths.id, because="it has a journal, but no record")
    mismatches: list[Mismatch] = []
    for run in journal.runs:
        try:
            loop = _loop(record, run)
        except (KeyError, TypeError) as error:
            raise DamagedFileError(
                project.full(paths.journal), f"lacks what the search was made of ({error!r})"
            ) from error
        mismatches += replayed(loop, journal, run)
    entries = journal.entries
    return Replay(
        proposals=len(journal.proposals),
        reports=sum(len(entry["reports"]) for entry in entries if entry["event"] == "report"),
        stops=sum("stop" in entry for entry in entries if entry["event"] == "report"),
        mismatches=mismatches,
    )


def _loop(record: ExperimentRecord, run: Run) -> TrialLoop:
    """The trial loop of a run as it was when the run began."""
    search = _search(record, run.making)
    search.recall(run.recalled)
    direction = Direction.parse(record.direction)
    rule = _rule(run.making["early_stop"], direction)
    return TrialLoop(search, direction=direction, retries=int(run.making["retries"]), rule=rule)


def _search(record: ExperimentRecord, making: Mapping[str, Any]) -> Optimizer:
    described = dict(making["optimizer"])
    named: Any = described.pop("optimizer")
    _check_class("optimizer", named, described)
    if ":" in named:
        named = _found("optimizer", named)
    types = making.get("searchspace")
    return make_optimizer(
        named,
        SearchSpace(record.search_space) if record.search_space else None,
        num_trials=making["num_trials"],
        direction=Direction.parse(record.direction),
        seed=making["seed"],
        initial=[*making["initial"], *_seeds(making)],
        settings=described,
        searchspace=None if types is None else Searchspace(**types),
    )


def _rule(described: Mapping[str, Any], direction: Direction) -> EarlyStop | None:
    _check_class("early_stop", described["rule"], described)
    if described["rule"] == class_name(AdaptedEarlyStop):
        described = {**described, "policy": _found("early_stop", described["policy"])}
    return early_stop_rule(described, direction=direction, resolve=partial(_found, "early_stop"))


def _check_class(argument: str, named: str, settings: Mapping[str, Any]) -> None:
    """Refuse what was an object, which its class and settings do not make again."""
    if settings.get(IS_OBJECT):
        raise UnsupportedOperationError(
            f"{argument} {named!r} cannot be made again: the experiment was given an object. Give "
            "it the class, or the import string of the object"
        )


def _found(argument: str, text: str) -> object:
    """What an import string of the journal names."""
    try:
        return imported(argument, text)
    except FunctionNotFoundError as error:
        place, _, name = text.rpartition(":")
        if "<locals>" in name:
            problem = "of a function: put it at the top level of a module"
        elif place == "__main__" or is_loaded_from_file(place):
            problem = "of a script, a notebook or a prompt: put it into a module"
        else:
            raise
        raise UnsupportedOperationError(
            f"{argument} {name!r} cannot be made again: it is {problem}"
        ) from error


def _seeds(making: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Configurations of an earlier experiment that the search began with."""
    seeds = making.get("seeds") or {}
    return list(seeds.get("configurations", ()))
