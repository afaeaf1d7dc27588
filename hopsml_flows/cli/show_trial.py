"""``hopsml show ID TRIAL``: what came of one trial, what it was made of, and what it made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hopsml_flows.errors import NotFoundError
from hopsml_flows.execution import read_committed
from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.service import StoredExperiment, find_trial
from hopsml_flows.storage import ExperimentPaths, TrialFiles
from hopsml_flows.storage.reading import content_of
from hopsml_flows.text import number_text, one_line, value_text
from hopsml_flows.trials import InputFile, Lineage, Trial, TrialResult, stored_params
from hopsml_flows.trials.confirmation import confirms
from hopsml_flows.trials.reasons import reasons

__all__ = ["trial_lines", "typed_trial"]

_LONGEST = 200


def typed_trial(stored: StoredExperiment, text: str) -> TrialResult:
    """Return the trial that the user typed: of the search, or one that confirms its winner.

    Args:
        stored: The experiment.
        text: Its number, its name, or the beginning of it.

    Raises:
        NotFoundError: The text matches no trial that has ended, or several.
    """
    try:
        return stored.trial(text)
    except NotFoundError:
        if not (text.isascii() and text.isdecimal() and confirms(int(text))):
            raise
    project, paths = stored.project, ExperimentPaths(stored.id)
    found = find_trial(project, paths, text)
    file = paths.trial(found.directory, TrialFiles.HPARAMS)
    content = content_of(project, file)
    params = {} if content is None else stored_params(file, content)
    trial = Trial(found.number, found.name, params, directory=found.directory)
    result = read_committed(project, paths, trial)
    if result is None:
        raise NotFoundError("TRIAL", text, because=f"trial {text} of {stored.id} has no result")
    return result


def trial_lines(experiment_id: str, trial: TrialResult, directory: str) -> Iterator[str]:
    """Yield lines about a trial.

    Args:
        experiment_id: Its experiment's identifier.
        trial: The trial.
        directory: Its directory: a local path or a URL.
    """
    took = f", {timedelta(seconds=round(trial.duration))}" if trial.ended else ""
    yield f"{experiment_id}, trial {trial.number}: {trial.state.value}{took}"
    if trial.failure is not None:
        yield f"error      {one_line(str(trial.failure))}"
    if trial.metric is not None:
        yield f"metric     {number_text(trial.metric)}"
    if trial.params:
        yield f"parameters {_pairs(trial.params)}"
    if trial.outputs:
        yield f"outputs    {_pairs(trial.outputs)}"
    if trial.started:
        yield f"started    {_time(trial.started)}"
    for word, value in (("seed", trial.seed), ("budget", trial.budget), ("worker", trial.worker)):
        if value not in (None, ""):
            yield f"{word:10} {value}"
    yield from _lineage_lines(trial.lineage)
    yield f"directory  {directory}"
    for words in trial.warnings:
        yield f"warning    {one_line(words)}"
    yield from reasons([trial])


def _lineage_lines(lineage: Lineage) -> Iterator[str]:
    for file in lineage.inputs:
        yield f"input      {_input(file)}"
    if lineage.unlisted:
        yield f"input      and {lineage.unlisted:,} more"
    for path in lineage.exports:
        yield f"exported   {one_line(path)}"


def _input(file: InputFile) -> str:
    """A file that was read, with what is known of it."""
    size = "" if file.size is None else size_text(file.size)
    written = "" if file.modified is None else f"written {_time(file.modified)}"
    known = ", ".join(part for part in (size, written) if part)
    return one_line(f"{file.path} ({known})" if known else file.path)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{one_line(k)}={value_text(v, _LONGEST)}" for k, v in values.items())


def _time(seconds: float) -> str:
    """A time in UTC; a file may say that it is from any year."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return number_text(seconds)
