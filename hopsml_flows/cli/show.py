"""``hopsml show``: what came of an experiment and its trials, or of one of them.

Of an ablation study it shows the effects, too.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from hopsml_flows.ablation.findings_file import findings_json
from hopsml_flows.ablation.report import findings_table
from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.show_trial import trial_lines, typed_trial
from hopsml_flows.driver.trial_table import LONGEST_VALUE, TrialTable
from hopsml_flows.errors import NotFoundError
from hopsml_flows.search import Direction
from hopsml_flows.service import StoredExperiment, find_experiment, trial_json
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.text import fitting, number_text, one_line, plural, readable, say, value_text
from hopsml_flows.tracking import ExperimentRecord, read_record
from hopsml_flows.tracking.progress_line import clock
from hopsml_flows.trials import TrialResult, best_first
from hopsml_flows.trials.confirmation import (
    Confirmation,
    Promotion,
    confirmation_facts,
    promotion_text,
)
from hopsml_flows.trials.reasons import reasons
from hopsml_flows.trials.saved_time import SavedTime
from hopsml_flows.values.plain import IS_OBJECT

__all__ = ["show"]

_SEARCH = ("optimizer", "early_stop")


def show(
    experiment: Annotated[str, EXPERIMENT],
    trial: Annotated[str | None, Parameter(name="TRIAL")] = None,
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Print what came of an experiment, its trials, and why some were stopped or promoted.

    Args:
        experiment: The experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        trial: One of its trials that have ended: its number, its name, or the beginning of it.
            Prints that alone, with the files that it read and the models that it exported.
        json: Print its record and its trials as JSON; with TRIAL, that trial.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    where = open_project(project)
    paths = find_experiment(where, experiment)
    record = read_record(where, paths.id)
    if record is None:
        raise NotFoundError("ID", paths.id, because="it has no record")
    stored = StoredExperiment(where, paths.id)
    results = stored.trials
    if stored.problem:
        print(readable(f"hopsml: summary of {paths.id}: {stored.problem}"), file=sys.stderr)
    if trial is not None:
        _show_trial(stored, trial, json=json)
        return
    if json:
        findings = stored.findings
        told = {**asdict(record), "state": stored.state.value}
        told["trials"] = [trial_json(each) for each in results]
        print_json(told if findings is None else {**told, "findings": findings_json(findings)})
        return
    _show_experiment(stored, record, results)


def _show_experiment(
    stored: StoredExperiment, record: ExperimentRecord, results: Sequence[TrialResult]
) -> None:
    direction = None if record.direction is None else Direction.parse(record.direction)
    best = next(iter(best_first(results, direction)), None) if direction is not None else None
    if best is not None and best.metric is None:
        best = None
    for line in _facts(record, stored.state.value, results, best):
        say(readable(line))
    say(f"directory  {stored.project.full(ExperimentPaths(stored.id).root)}")
    if results:
        _print_table(record, results, best, direction)
    if stored.findings is not None:
        say("")
        for line in findings_table(stored.findings, width=_columns()).split("\n"):
            say(readable(line))
    for line in reasons(results):
        say(readable(line))


def _show_trial(stored: StoredExperiment, text: str, *, json: bool) -> None:
    found = typed_trial(stored, text)
    if json:
        print_json(trial_json(found))
        return
    directory = stored.project.full(ExperimentPaths(stored.id).trial(found.directory))
    for line in trial_lines(stored.id, found, directory):
        say(readable(line))


def _facts(
    record: ExperimentRecord, state: str, results: Sequence[TrialResult], best: TrialResult | None
) -> Iterator[str]:
    """Lines about the whole experiment."""
    took = "" if record.duration is None else f", {timedelta(seconds=round(record.duration))}"
    yield f"{record.id}: {state}{took}"
    yield f"kind       {record.function} of {one_line(record.train)}"
    for name in _SEARCH:
        if isinstance(described := record.options.get(name), dict):
            yield f"{name:10} {_described(described)}"
    if isinstance(earlier := record.rerun_of.get("experiment"), str):
        number = record.rerun_of.get("trial")
        yield f"repeats    {one_line(earlier)}{'' if number is None else f', trial {number}'}"
    yield f"trials     {_counts(record, results)}"
    if best is not None and best.metric is not None:
        key = one_line(record.optimization_key or "metric")
        pairs = ", ".join(
            f"{one_line(name)}={value_text(value, LONGEST_VALUE)}"
            for name, value in best.params.items()
        )
        with_what = f": {pairs}" if pairs else ""
        yield f"best       {key} {number_text(best.metric)} in trial {best.number}{with_what}"
    confirmation = Confirmation.from_json(record.confirmation)
    if confirmation is not None:
        for word, told in confirmation_facts(confirmation):
            yield f"{word:10} {told}"
    promotion = Promotion.from_json(record.promotion)
    if promotion is not None:
        yield f"{promotion.word:10} {promotion_text(promotion)}"
    for word, said in (("error", record.error), ("notice", record.notice)):
        if said:
            yield f"{word:10} {one_line(said)}"


def _described(settings: dict[str, Any]) -> str:
    """An optimizer or a rule: its name, and its arguments."""
    name, *arguments = ((key, value) for key, value in settings.items() if key != IS_OBJECT)
    pairs = ", ".join(f"{key}={value_text(value, LONGEST_VALUE)}" for key, value in arguments)
    return f"{name[1]}({pairs})" if pairs else str(name[1])


def _counts(record: ExperimentRecord, results: Sequence[TrialResult]) -> str:
    """How many trials have ended, and how."""
    saved = SavedTime()
    for result in results:
        if result.succeeded:
            saved.add(result)
    parts = [f"{len(results)} of {record.trials_total}"]
    if record.trials_total is None or record.trials_total == len(results):
        parts = [plural(len(results), "trial").partition(" ")[0]]
    failed = sum(not result.succeeded for result in results)
    parts.append(f"{failed} failed")
    if saved.stopped:
        parts.append(f"{saved.stopped} stopped early (about {clock(saved.seconds)} saved)")
    if promoted := sum(bool(result.promotions) for result in results):
        parts.append(f"{promoted} promoted")
    return ", ".join(parts)


def _columns() -> int:
    return shutil.get_terminal_size().columns


def _print_table(
    record: ExperimentRecord,
    results: Sequence[TrialResult],
    best: TrialResult | None,
    direction: Direction | None,
) -> None:
    console = Console(width=_columns())
    title = f"{record.function}: trials of {record.name}"
    table, notes = TrialTable(title, results, best, fitting, direction).drawn(console.width)
    with console.capture() as drawn:
        console.print(table)
    say("\n".join(line.rstrip() for line in drawn.get().rstrip().split("\n")))
    for note in notes:
        say(readable(note))
