"""Runs an asynchronous search again from its journal, without training.

The optimizer and the rule of early stopping are made as the experiment's record says, fed with what
the journal says they were told, and must decide the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.errors import DamagedFileError, NotFoundError
from hopsml_flows.execution import imported
from hopsml_flows.maggy.any_optimizer import make_optimizer
from hopsml_flows.search import Direction, Optimizer, SearchSpace
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import content_of
from hopsml_flows.tracking import ExperimentRecord, read_record
from hopsml_flows.trials import EarlyStop, TrialLoop
from hopsml_flows.trials.early_stop.registry import early_stop_rule
from hopsml_flows.trials.journal import Journal, Mismatch, replayed

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
    """
    content = content_of(project, paths.journal)
    if content is None:
        raise NotFoundError(
            "ID", paths.id, because="it has no journal: it was no asynchronous search"
        )
    journal = Journal.read(project.full(paths.journal), content)
    record = read_record(project, paths.id)
    if record is None:
        raise NotFoundError("ID", paths.id, because="it has a journal, but no record")
    options = record.options
    try:
        search, rule = _search(record), _rule(record)
        direction, retries = Direction.parse(record.direction), int(options["retries"])
    except (KeyError, TypeError) as error:
        raise DamagedFileError(
            project.full(paths.record), f"lacks what the search was made of ({error!r})"
        ) from error
    loop = TrialLoop(search, direction=direction, retries=retries, rule=rule)
    mismatches = [differs for _, differs in replayed(loop, journal) if differs is not None]
    entries = journal.entries
    return Replay(
        proposals=len(journal.proposals),
        reports=sum(len(entry["reports"]) for entry in entries if entry["event"] == "report"),
        stops=sum("stop" in entry for entry in entries if entry["event"] == "report"),
        mismatches=mismatches,
    )


def _search(record: ExperimentRecord) -> Optimizer:
    options = record.options
    described = dict(options["optimizer"])
    named: Any = described.pop("optimizer")
    if ":" in named:
        named = imported("optimizer", named)
    return make_optimizer(
        named,
        SearchSpace(record.search_space) if record.search_space else None,
        num_trials=options["num_trials"],
        direction=Direction.parse(record.direction),
        seed=options["seed"],
        initial=[*options["initial"], *_seeds(options)],
        settings=described,
    )


def _rule(record: ExperimentRecord) -> EarlyStop | None:
    def resolve(text: str) -> object:
        return imported("early_stop", text)

    described = record.options["early_stop"]
    return early_stop_rule(described, direction=Direction.parse(record.direction), resolve=resolve)


def _seeds(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Configurations of an earlier experiment that the search began with."""
    seeds = options.get("seeds") or {}
    return list(seeds.get("configurations", ()))
