"""``experiment.random_search``: configurations drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.execution import SYNC_SECONDS, TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.plan import Options, Plan, WarmStart, checked_key
from hopsml_flows.plan.run_form import (
    BoundsParameter,
    ClusterParameter,
    CountParameter,
    DirectionParameter,
    IsolationParameter,
    KeepFilesParameter,
    ProcessesParameter,
    SecondsParameter,
    TrainParameter,
)
from hopsml_flows.search import Direction, RandomSearch, SearchSpace
from hopsml_flows.trials import DEFAULT_KEY

__all__ = ["random_search"]


@experiment_flow
def random_search(
    train: TrainParameter,
    boundary_dict: BoundsParameter,
    direction: DirectionParameter = Direction.MAX,
    samples: CountParameter = 10,
    name: str = "no-name",
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    *,
    project: str | None = None,
    cluster: ClusterParameter = "auto",
    seed: CountParameter | None = None,
    retries: CountParameter = 1,
    trial_timeout: SecondsParameter | None = None,
    tags: list[str] | None = None,
    resume: str | None = None,
    warm_start: str | None = None,
    progress: bool = True,
    sync_interval: SecondsParameter = SYNC_SECONDS,
    tensorboard: bool | None = None,
    processes_per_trial: ProcessesParameter = 1,
    keep_files: KeepFilesParameter = False,
    isolation: IsolationParameter = "worker",
) -> Plan:
    """Evaluate the training function at random points of a search space, none of them twice.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        boundary_dict: Hyperparameter name to [low, high], a list of strings, Float, Int or
            Categorical; two ints are an inclusive integer range, one value in a list is fixed.
        direction: Direction.MAX or Direction.MIN.
        samples: Number of points.
        name: Name of the experiment.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        project: Project root as an fsspec URL or a local path.
        cluster: "auto", "local", "cuda", a scheduler's address, a YAML file of a cluster's
            definition, or a ClusterConfig.
        seed: The same seed draws the same points; without one, a drawn seed is kept in the
            record.
        retries: How often a trial whose worker was lost is tried again.
        trial_timeout: Seconds after which a trial is stopped and has failed; None for no limit.
        tags: Tags of the flow run and the record.
        resume: Identifier of an experiment to go on with: its finished trials are not run again,
            its failed ones are.
        warm_start: "last", or an experiment's identifier: a quarter of the points are the best ones
            of the last finished experiment of this name, or of that one, as far as they are in the
            search space. They are evaluated anew.
        progress: Print progress and results.
        sync_interval: Seconds between two times that a running trial's log and events are brought
            to a project that is not local.
        tensorboard: Show the experiment in a TensorBoard while it runs; None for yes, unless
            HOPSML_TENSORBOARD=false is in the environment.
        processes_per_trial: Processes that train together as one trial, each on a worker; they
            find TensorFlow's ``TF_CONFIG`` and PyTorch's variables set.
        keep_files: Keep what a trial writes in the working directory and does not return: True
            for everything, or glob patterns such as "*.keras" or "checkpoints/**". The files come
            into the directory files/ of the trial's, also where it fails.
        isolation: "worker": trials of one worker run one after the other in a process that stays;
            "process": each trial gets a fresh process.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs = random_search(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    space = SearchSpace(boundary_dict)
    check_names(function.callable, list(space), argument="boundary_dict")
    options = Options.checked(
        name=name,
        description=description,
        local_logdir=local_logdir,
        project=project,
        cluster=cluster,
        seed=seed,
        retries=retries,
        trial_timeout=trial_timeout,
        tags=tags,
        resume=resume,
        progress=progress,
        sync_interval=sync_interval,
        tensorboard=tensorboard,
        keep_files=keep_files,
        isolation=isolation,
        processes_per_trial=processes_per_trial,
        draws=True,
    )

    def search(seed: int | None, first: Sequence[Mapping[str, Any]] = ()) -> RandomSearch:
        return RandomSearch(space, samples=samples, direction=way, initial=first, seed=seed)

    total = search(options.seed).total

    return Plan(
        verb="random_search",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=function,
        options=options,
        make_search=search,
        trials=total,
        direction=way,
        optimization_key=checked_key(optimization_key),
        needs_metric=True,
        space=space.describe(),
        domains=dict(space),
        warm_start=WarmStart.checked(warm_start, most=max(1, total // 4)),
    )
