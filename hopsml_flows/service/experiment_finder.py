"""Find the experiment, or its trial, that the user typed.

Listings decide; a full identifier costs one request. Only ``last`` reads records, and only where
several experiments started within one second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service.logs.process_names import logs_in_order, process_name, split_process
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles, is_log
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.text import plural
from hopsml_flows.tracking import intact_record
from hopsml_flows.tracking.listing import experiments
from hopsml_flows.trials import (
    CONFIRMATION,
    generation_of,
    name_of,
    number_of,
    slug,
    stamp_of,
)

__all__ = [
    "LAST",
    "TrialDirectory",
    "find_experiment",
    "find_trial",
    "trial_directories",
]

_RUN_OF_NAME = re.compile(r"(.*)@-(\d{1,9})")

LAST = "last"
"""What the user types for the experiment that started last."""

_SHOWN = 8
"""Most names that a message lists."""


@dataclass(frozen=True, slots=True)
class TrialDirectory:
    """A trial, as found in its experiment's directory.

    Args:
        number: Its number, from 1.
        name: Its name; "" if it has no directory of its own.
        directory: Its directory relative to the experiment's; "" is the experiment's own.
        generation: Its generation, or None.
        process: One process of a distributed trial, such as "worker-2"; "" for the whole trial.
    """

    number: int
    name: str
    directory: str
    generation: int | None = None
    process: str = ""


def find_experiment(project: Project, text: str) -> ExperimentPaths:
    """Return the paths of the experiment that the user typed.

    Args:
        project: The project.
        text: An identifier, a beginning that only one identifier has, ``last``, or ``NAME@-1`` for
            the newest experiment of a name, ``NAME@-2`` for the one before it, and so on.

    Raises:
        NotFoundError: The text matches no experiment, or several.
    """
    if stamp_of(text):
        paths = ExperimentPaths(text)
        if persistently(lambda: project.exists(paths.record), limit=answer_limit(project)):
            return paths
    known = experiments(project)
    if text == LAST and known:
        return ExperimentPaths(_from_end(project, known, 1))
    if (run := _RUN_OF_NAME.fullmatch(text)) and known:
        return ExperimentPaths(_run_of_name(project, known, text, run[1], int(run[2])))
    matching = [name for name in known if text and name.startswith(text)]
    if len(matching) == 1:
        return ExperimentPaths(matching[0])
    if matching:
        means = f"it matches {len(matching)} experiments of {project.url}: {_some(matching[::-1])}"
        raise NotFoundError("ID", text, because=means)
    if known:
        means = f"must be an experiment of {project.url}: {LAST}, {_some(known[::-1])}"
        raise NotFoundError("ID", text, means)
    raise NotFoundError("ID", text, because=f"{project.url} has no experiment")


def trial_directories(project: Project, paths: ExperimentPaths) -> Iterator[TrialDirectory]:
    """Yield the trials of an experiment whose directories or logs are on storage.

    Args:
        project: The project.
        paths: The experiment's paths.

    Yields:
        The trials by generation, then by number; last those that confirm the winner. Each
        generation costs one listing.
    """
    limit = answer_limit(project)
    inside = persistently(lambda: project.entries(paths.root), limit=limit)
    names = [entry.name.rpartition("/")[2] for entry in inside]
    if any(name == TrialFiles.HPARAMS or is_log(name) for name in names):
        yield TrialDirectory(1, "", "")
        return
    directories = [e.name.rpartition("/")[2] for e in inside if e.is_directory]
    yield from _numbered(directories, "", None)
    generations = {name: generation_of(name) for name in directories}
    for name, number in sorted(generations.items(), key=lambda pair: pair[1] or 0):
        if number is not None:
            listing = partial(project.listdir, paths.trial(name))
            yield from _numbered(persistently(listing, limit=limit), f"{name}/", number)
    if CONFIRMATION in directories:
        listing = partial(project.listdir, paths.trial(CONFIRMATION))
        yield from _numbered(persistently(listing, limit=limit), f"{CONFIRMATION}/", None)


def find_trial(project: Project, paths: ExperimentPaths, text: str) -> TrialDirectory:
    """Return the trial, or the process of a distributed trial, that the user typed.

    Args:
        project: The project.
        paths: The experiment's paths.
        text: A number, with or without leading zeros; a name, a directory, or a beginning that
            only one trial's name has. "/worker-2" after it selects a process. The process alone
            is enough if the experiment is one distributed training.

    Raises:
        NotFoundError: The text matches no trial that has begun, or several.
    """
    wanted, process = split_process(text)
    trial = _found(project, paths, text, wanted)
    if not process:
        return trial
    listing = partial(project.listdir, paths.trial(trial.directory))
    names = logs_in_order(persistently(listing, limit=answer_limit(project)))
    processes = [process_name(name) for name in names]
    if process not in processes:
        there = _some([name for name in processes if name]) or "none"
        means = f"must be a process of {trial.name or paths.id} that has begun: {there}"
        raise NotFoundError("TRIAL", text, means)
    return replace(trial, process=process)


def _found(project: Project, paths: ExperimentPaths, text: str, wanted: str) -> TrialDirectory:
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() else None
    known: list[TrialDirectory] = []
    for trial in trial_directories(project, paths):
        # An empty `wanted` matches a trial without a name only if the user typed a process alone.
        own = {trial.name, trial.directory} if trial.name else {""} - {text}
        if number == trial.number or wanted in own:
            return trial
        known.append(trial)
    matching = [t for t in known if wanted and number is None and t.name.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = [trial.name for trial in matching]
        means = f"it matches {len(matching)} trials of {paths.id}: {_some(names)}"
        raise NotFoundError("TRIAL", text, because=means)
    if known:
        names = [trial.name or str(trial.number) for trial in known]
        means = f"must be a trial of {paths.id} that has begun: {_some(names)}"
        raise NotFoundError("TRIAL", text, means)
    raise NotFoundError("TRIAL", text, because=f"no trial of {paths.id} has begun")


def _numbered(names: Sequence[str], parent: str, generation: int | None) -> list[TrialDirectory]:
    numbers = {name: number_of(name) for name in names}
    return [
        TrialDirectory(number, name, f"{parent}{name}", generation)
        for name, number in sorted(numbers.items(), key=lambda pair: pair[1] or 0)
        if number is not None
    ]


def _run_of_name(project: Project, known: Sequence[str], text: str, name: str, back: int) -> str:
    runs = [each for each in known if not name or name_of(each) == slug(name)]
    if 1 <= back <= len(runs):
        return _from_end(project, runs, back)
    if runs:
        newest = plural(len(runs), "experiment")
        of_name = f" of that name: {name}@-1" if name else ": @-1"
        means = f"must be one of the {newest}{of_name} is the newest, @-{len(runs)} the oldest"
        raise NotFoundError("ID", text, means)
    names = dict.fromkeys(name_of(each) for each in known[::-1])
    means = f"must begin with a name that {project.url} has: {_some(list(names))}"
    raise NotFoundError("ID", text, means)


def _from_end(project: Project, known: Sequence[str], back: int) -> str:
    """Return the experiment that started last, or before that."""
    stamp = stamp_of(known[-back])
    alike = [name for name in known if stamp_of(name) == stamp]
    if len(alike) == 1:
        return alike[0]
    # Identifiers have whole seconds; records have milliseconds.
    alike.sort(key=lambda name: _start(project, name))
    later = sum((stamp_of(name) or "") > (stamp or "") for name in known)
    return alike[later - back]


def _start(project: Project, name: str) -> str:
    # An experiment without a record that can be read still counts: it may just be starting.
    record = intact_record(project, name)
    return "" if record is None else record.start


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
