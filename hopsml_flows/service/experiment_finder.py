"""Which experiment, and which trial of it, the user means by what they typed.

Listings alone decide wherever they can: no file of an experiment is read, and a full identifier
costs one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service.logs.process_names import logs_in_order, process_name, split_process
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles, is_log
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.tracking import intact_record
from hopsml_flows.tracking.listing import experiments
from hopsml_flows.trials import generation_of, number_of, stamp_of

__all__ = [
    "LAST",
    "TrialDirectory",
    "find_experiment",
    "find_trial",
    "trial_directories",
]

LAST = "last"
"""Stands for the experiment that was started last."""

_SHOWN = 8
"""So many names a message offers."""


@dataclass(frozen=True, slots=True)
class TrialDirectory:
    """A trial as its experiment's directory shows it.

    Args:
        number: Its number, from 1.
        name: Its name; "" where it has no directory of its own.
        directory: Its directory relative to the experiment's; "" is the experiment's own.
        generation: Its generation, or None.
        process: The one process that is meant of a distributed trial, such as "worker-2"; "" for
            all of it.
    """

    number: int
    name: str
    directory: str
    generation: int | None = None
    process: str = ""


def find_experiment(project: Project, text: str) -> ExperimentPaths:
    """The experiment that a text means.

    Args:
        project: The project.
        text: An identifier, the beginning of one that no other has, or ``last``.

    Returns:
        Its paths.

    Raises:
        NotFoundError: It means none, or several.
    """
    if stamp_of(text):
        paths = ExperimentPaths(text)
        if persistently(lambda: project.exists(paths.record), limit=answer_limit(project)):
            return paths
    known = experiments(project)
    if text == LAST and known:
        return ExperimentPaths(_started_last(project, known))
    matching = [name for name in known if text and name.startswith(text)]
    if len(matching) == 1:
        return ExperimentPaths(matching[0])
    if matching:
        means = f"it means {len(matching)} experiments of {project.url}: {_some(matching[::-1])}"
        raise NotFoundError("ID", text, because=means)
    if known:
        means = f"must be an experiment of {project.url}: {LAST}, {_some(known[::-1])}"
        raise NotFoundError("ID", text, means)
    raise NotFoundError("ID", text, because=f"{project.url} has no experiment")


def trial_directories(project: Project, paths: ExperimentPaths) -> Iterator[TrialDirectory]:
    """The trials of an experiment that have begun, as far as storage shows.

    Args:
        project: The project.
        paths: The experiment's paths.

    Yields:
        The trials by number, within each generation; one listing a generation.
    """
    inside = project.entries(paths.root)
    names = [entry.name.rpartition("/")[2] for entry in inside]
    if any(name == TrialFiles.HPARAMS or is_log(name) for name in names):
        yield TrialDirectory(1, "", "")
        return
    directories = [e.name.rpartition("/")[2] for e in inside if e.is_directory]
    yield from _numbered(directories, "", None)
    generations = {name: generation_of(name) for name in directories}
    for name, number in sorted(generations.items(), key=lambda pair: pair[1] or 0):
        if number is not None:
            yield from _numbered(project.listdir(paths.trial(name)), f"{name}/", number)


def find_trial(project: Project, paths: ExperimentPaths, text: str) -> TrialDirectory:
    """The trial that a text means, or the process of one.

    Args:
        project: The project.
        paths: The experiment's paths.
        text: A number, with or without zeros in front; a name, its directory, or the beginning of
            a name that no other trial has. For a process of it, that is followed by a slash and
            the process, which is enough where the experiment is one distributed training.

    Returns:
        The trial.

    Raises:
        NotFoundError: It means none that has begun, or several.
    """
    wanted, process = split_process(text)
    trial = _found(project, paths, text, wanted)
    if not process:
        return trial
    names = logs_in_order(project.listdir(paths.trial(trial.directory)))
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
        # The process alone was named where nothing is left of what was typed.
        own = {trial.name, trial.directory} if trial.name else {""} - {text}
        if number == trial.number or wanted in own:
            return trial
        known.append(trial)
    matching = [t for t in known if wanted and number is None and t.name.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = [trial.name for trial in matching]
        means = f"it means {len(matching)} trials of {paths.id}: {_some(names)}"
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


def _started_last(project: Project, known: Sequence[str]) -> str:
    stamp = stamp_of(known[-1])
    latest = [name for name in known if stamp_of(name) == stamp]
    if len(latest) == 1:
        return latest[0]
    # Within a second only their records tell.
    return max(latest, key=lambda name: _start(project, name))


def _start(project: Project, name: str) -> str:
    # A damaged record does not hide its experiment; one that is only being made has none yet.
    record = intact_record(project, name)
    return "" if record is None else record.start


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
