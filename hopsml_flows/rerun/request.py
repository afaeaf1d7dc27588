"""What is run again: read from an experiment's directory, and judged before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.errors import DamagedFileError, InvalidArgumentError, NotFoundError
from hopsml_flows.rerun.recorded_trials import RecordedTrial, doubts_about, recorded_trials
from hopsml_flows.service.experiment_finder import find_trial
from hopsml_flows.service.stored_experiment import StoredExperiment
from hopsml_flows.service.stored_findings import is_study
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage.reading import LARGEST_RECORD, content_of
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.versions.stored_program import StoredProgram, read_program
from hopsml_flows.trials import ISOLATIONS, Framework, State, Trial, TrialResult, trial_seed
from hopsml_flows.trials.confirmation import confirms
from hopsml_flows.trials.trial_files import committed_result, stored_params

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

_NOT_IN_DRIVER = ("trial_timeout", "isolation")
"""Those that trials in the driver's own process cannot have."""


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
        recorded: The results of these trials in the earlier experiment, of those that have one.
        notes: By number in the earlier experiment, in what the hyperparameters may differ.
        import_path: Where modules are looked for that the program does not keep.
    """

    project: Project
    experiment: str
    train: str
    program: StoredProgram
    environment: str | None
    arguments: Mapping[str, Any]
    numbers: tuple[int, ...]
    recorded: tuple[TrialResult, ...] = ()
    notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
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
        NotFoundError: There is no such trial, or its parameters or its seed are not known.
        InvalidArgumentError: The experiment has no record or no program, the function has no name
            in it, no trial has parameters, or the cluster is none.
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
    found = _all(earlier) if trial is None else [_one(earlier, paths, trial)]
    trials = [each.result for each in found]
    arguments = {
        **_options(record, in_driver=_is_debug(options.get("cluster"))),
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
        recorded=tuple(each.result for each in found if each.has_result),
        notes={each.result.number: each.notes for each in found if each.notes},
    )


def _unusable(earlier: StoredExperiment, because: str) -> InvalidArgumentError:
    return InvalidArgumentError("experiment", earlier.id, because=because)


def _all(earlier: StoredExperiment) -> Sequence[RecordedTrial]:
    """The trials that have a result to compare with."""
    found = [each for each in recorded_trials(earlier) if each.result.succeeded]
    if not found:
        raise _unusable(earlier, "no trial of it has a result; name a trial to run it again")
    return found


def _one(earlier: StoredExperiment, paths: ExperimentPaths, text: int | str) -> RecordedTrial:
    """A trial that the user named, with or without a result.

    Raises:
        NotFoundError: There is none, it never got parameters, or its seed is not known.
    """
    try:
        number = earlier.trial(text).number
    except NotFoundError:
        return _of_its_files(earlier, paths, text)
    return next(each for each in recorded_trials(earlier) if each.result.number == number)


def _of_its_files(
    earlier: StoredExperiment, paths: ExperimentPaths, text: int | str
) -> RecordedTrial:
    """A trial that no summary tells of: it was cut off, or confirms the winner.

    Raises:
        NotFoundError: There is none, it never got parameters, or its seed is not known.
    """
    project, begun = earlier.project, find_trial(earlier.project, paths, str(text))
    hparams, outputs = (
        paths.trial(begun.directory, name) for name in (TrialFiles.HPARAMS, TrialFiles.OUTPUTS)
    )
    content = content_of(project, hparams, LARGEST_RECORD)
    if content is None:
        raise NotFoundError("trial", text, because=f"trial {begun.number} never got parameters")
    params = stored_params(project.full(hparams), content)
    notes = (*doubts_about(params),)
    trial = Trial(begun.number, begun.name, params, directory=begun.directory)
    committed = content_of(project, outputs, LARGEST_RECORD)
    result = None
    if committed is not None:
        try:
            result = committed_result(project.full(outputs), committed, trial)
        except DamagedFileError:
            if confirms(begun.number):
                raise
    if confirms(begun.number) and (result is None or result.seed is None):
        because = (
            f"trial {begun.number} evaluates a configuration on a fresh seed, and has no result"
        )
        raise NotFoundError("trial", text, because=f"{because} that tells which")
    if result is None:
        cut_off = TrialResult(trial.number, trial.name, params, State.FAILED)
        return RecordedTrial(cut_off, has_result=False, notes=notes)
    return RecordedTrial(result, notes=notes)


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


def _options(record: ExperimentRecord, *, in_driver: bool) -> dict[str, Any]:
    """The options of the earlier experiment that the new one has, too."""
    told = {name: record.options[name] for name in _OPTIONS if name in record.options}
    if record.options.get("isolation") in ISOLATIONS:
        told["isolation"] = record.options["isolation"]
    left_out = _NOT_IN_DRIVER if in_driver else ()
    return {n: value for n, value in told.items() if value is not None and n not in left_out}


def _is_debug(cluster: Any) -> bool:
    """Whether trials run in the driver's own process."""
    return cluster is not None and ClusterConfig.parse(cluster).kind == DEBUG


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
