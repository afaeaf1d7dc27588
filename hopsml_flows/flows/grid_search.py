"""``experiment.grid_search``: every combination of the given values."""

from __future__ import annotations

from typing import Any

from hopsml_flows.execution import SYNC_SECONDS, TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.plan import Options, Plan, checked_key
from hopsml_flows.plan.run_form import (
    ClusterParameter,
    CountParameter,
    DirectionParameter,
    GridParameter,
    IsolationParameter,
    KeepFilesParameter,
    ProcessesParameter,
    SecondsParameter,
    TrainParameter,
)
from hopsml_flows.search import Categorical, Direction, GridSearch
from hopsml_flows.search.quoted_numbers import warn_of_unread
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.values.plain import image_key

__all__ = ["grid_search"]


@experiment_flow
def grid_search(
    train: TrainParameter,
    grid_dict: GridParameter,
    direction: DirectionParameter = Direction.MAX,
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
    progress: bool = True,
    sync_interval: SecondsParameter = SYNC_SECONDS,
    tensorboard: bool | None = None,
    processes_per_trial: ProcessesParameter = 1,
    keep_files: KeepFilesParameter = False,
    isolation: IsolationParameter = "worker",
) -> Plan:
    """Evaluate the training function at every combination of hyperparameter values.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        grid_dict: Hyperparameter name to list of values; combined in the dict's order, the last
            one changing fastest.
        direction: Direction.MAX or Direction.MIN.
        name: Name of the experiment.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        project: Project root as an fsspec URL or a local path.
        cluster: "auto", "local", "cuda", a scheduler's address, a YAML file of a cluster's
            definition, or a ClusterConfig.
        seed: Kept in the record.
        retries: How often a trial whose worker was lost is tried again.
        trial_timeout: Seconds after which a trial is stopped and has failed; None for no limit.
        tags: Tags of the flow run and the record.
        resume: Identifier of an experiment to go on with: its finished trials are not run again,
            its failed ones are.
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
        The result; it unpacks as ``best_dir, best_params, best_outputs = grid_search(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    search = GridSearch(grid_dict, direction=way)
    check_names(function.callable, list(grid_dict), argument="grid_dict")
    warn_of_unread("grid_dict", search.grid)
    return Plan(
        verb="grid_search",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=function,
        options=Options.checked(
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
        ),
        make_search=lambda *_: GridSearch(grid_dict, direction=way),
        trials=search.total,
        direction=way,
        optimization_key=checked_key(optimization_key),
        needs_metric=True,
        space=search.grid,
        domains={
            name: Categorical(different)
            for name, values in search.grid.items()
            if len(different := _different(values)) > 1
        },
    )


def _different(values: list[Any]) -> list[Any]:
    """The values without repeats; True, 1 and 1.0 are not the same, (3, 3) and [3, 3] are."""
    return list({image_key(value): value for value in values}.values())
