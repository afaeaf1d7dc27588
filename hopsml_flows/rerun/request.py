"""What is run again: read from an experiment's directory, and judged before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.service.experiment_finder import find_trial
from hopsml_flows.service.stored_experiment import StoredExperiment
from hopsml_flows.service.stored_findings import is_study
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage.reading import LARGEST_RECORD, content_of
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.versions.stored_program import StoredProgram, read_program
from hopsml_flows.trials import ISOLATIONS, Framework, State, TrialResult, trial_seed
from hopsml_flows.trials.trial_files import stored_params

__all__ = ["Request", "read_request"]

_FRAMEWORKS = {
    "mirrored": Framework.MIRRORED,
    "collective_all_reduce": Framework.MIRRORED,
    "parameter_server": Framework.PARAMETER_SERVER,
    "distributed": Framework.TORCH,
}
"""Verbs of distributed training."""

_OPTIONS = ("seed", "seed_trials", "retries", "trial_timeout", "processes_per_trial")
"""Options of the record that are given again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the process that runs the trials gets.

    Args:
        project: The project.
        experiment: Identifier of the earlier experiment.
        train: The import string of its training function.
        program: Its program.
        environment: The list of its packages, or None.
        arguments: Arguments of the flow, but for the training function.
        numbers: Numbers of the trials in the earlier experiment, in the order of the new one.
        import_path: Where modules are looked for that the program does not keep.
    """

    project: Project
    experiment: str
    train: str
    program: StoredProgram
    environment: str | None
    arguments: Mapping[str, Any]
    numbers: tuple[int, ...]
    import_path: tuple[str, ...] = field(default=())


def read_request(
    earlier: StoredExperiment, trial: int | str | None, options: Mapping[str, Any]
) -> Request:
    """Return what is needed to run trials of an experiment again.

    Args:
        earlier: The experiment.
        trial: The trial: its number or name; None for all that have a result.
        options: Options of the new experiment, such as its cluster.

    Raises:
        NotFoundError: There is no such trial.
        InvalidArgumentError: The experiment has no record or no program, the function has no name
            in it, or no trial has parameters.
        DamagedFileError: A file of the experiment cannot be understood.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    record = earlier.record
    if record is None:
        raise _unusable(earlier, f"{earlier.problem or 'it has no record'}")
    if is_study(record) and "around" not in record.options:
        raise _unusable(
            earlier,
            "the study, which makes dataset and model of each trial, is not kept: call "
            "experiment.ablation again",
        )
    name = record.train.rpartition(":")[2]
    if not name or "<" in name:
        raise _unusable(
            earlier,
            f"its function {record.train!r} has no name at the top level of a program",
        )
    project, paths = earlier.project, ExperimentPaths(earlier.id)
    program = read_program(project, paths, record.versions, record.program)
    if program.content is None and program.modules is None:
        raise _unusable(earlier, "it keeps no program")
    trials = _all(earlier) if trial is None else [_one(earlier, paths, trial)]
    arguments = {
        **{name: record.options[name] for name in _OPTIONS if record.options.get(name) is not None},
        **_isolation(record),
        **_kept_files(record),
        **options,
        "trials": [_described(record, each) for each in trials],
        "experiment": earlier.id,
        "trial": None if trial is None else trials[0].number,
        "name": record.name,
        "direction": record.direction,
        "optimization_key": record.optimization_key,
        "group": _group(earlier, record),
        "project": project,
    }
    return Request(
        project=project,
        experiment=earlier.id,
        train=record.train,
        program=program,
        environment=earlier.environment,
        arguments=arguments,
        numbers=tuple(each.number for each in trials),
    )


def _unusable(earlier: StoredExperiment, because: str) -> InvalidArgumentError:
    return InvalidArgumentError("experiment", earlier.id, because=because)


def _all(earlier: StoredExperiment) -> Sequence[TrialResult]:
    """The trials that have a result to compare with."""
    found = [each for each in earlier.trials if each.succeeded]
    if not found:
        raise _unusable(earlier, "no trial of it has a result; name a trial to run it again")
    return found


def _one(earlier: StoredExperiment, paths: ExperimentPaths, text: int | str) -> TrialResult:
    """A trial that the user named, with or without a result.

    Raises:
        NotFoundError: There is none, or it never got parameters.
    """
    try:
        return earlier.trial(text)
    except NotFoundError:
        begun = find_trial(earlier.project, paths, str(text))
    file = f"{paths.trial(begun.directory)}/{TrialFiles.HPARAMS}"
    content = content_of(earlier.project, file, LARGEST_RECORD)
    if content is None:
        raise NotFoundError("trial", text, because=f"trial {begun.number} never got parameters")
    params = stored_params(earlier.project.full(file), content)
    return TrialResult(begun.number, begun.name, params, State.FAILED, directory=begun.directory)


def _described(record: ExperimentRecord, trial: TrialResult) -> dict[str, Any]:
    """A trial as the flow takes it: with its seed, or the one that it would have had."""
    root = record.options.get("seed")
    seed = trial.seed
    if seed is None:
        number = trial.number if trial.repeat is None else trial.repeat
        seed = trial_seed(record.id if root is None else root, number)
    return {
        "number": trial.number,
        "params": trial.params,
        "seed": seed,
        "budget": trial.budget,
    }


def _isolation(record: ExperimentRecord) -> dict[str, str]:
    isolation = record.options.get("isolation")
    return {"isolation": isolation} if isolation in ISOLATIONS else {}


def _kept_files(record: ExperimentRecord) -> dict[str, list[str]]:
    patterns = record.options.get("keep_files")
    return {"keep_files": patterns} if isinstance(patterns, list) and patterns else {}


def _group(earlier: StoredExperiment, record: ExperimentRecord) -> dict[str, Any] | None:
    """The process group of a distributed training, as the flow takes it."""
    if "num_workers" not in record.options:
        return None
    framework = _FRAMEWORKS.get(record.function)
    if record.function == "rerun":
        framework = _framework_of(record)
    if framework is None:
        raise _unusable(earlier, f"a distributed training of {record.function} cannot be repeated")
    counts = {name: record.options.get(name) for name in ("num_workers", "num_ps", "evaluator")}
    told = {name: value for name, value in counts.items() if value is not None}
    return {"framework": framework.value, **told}


def _framework_of(record: ExperimentRecord) -> Framework | None:
    told = record.options.get("framework")
    return Framework(told) if told in set(Framework) else None
