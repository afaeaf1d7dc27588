"""``experiment.launch``: the training function once, or once for each set of arguments."""

from __future__ import annotations

from hopsml_flows.execution import SYNC_SECONDS, TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.plan import Options, Plan, checked_key
from hopsml_flows.plan.run_form import (
    ClusterParameter,
    CountParameter,
    IsolationParameter,
    KeepFilesParameter,
    PositionsParameter,
    SecondsParameter,
    TrainParameter,
)
from hopsml_flows.search import ListSearch, value_lists, zipped
from hopsml_flows.search.quoted_numbers import warn_of_unread

__all__ = ["launch"]


@experiment_flow
def launch(
    train: TrainParameter,
    args_dict: PositionsParameter = None,
    name: str = "no-name",
    local_logdir: bool = False,
    description: str | None = None,
    metric_key: str | None = None,
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
    keep_files: KeepFilesParameter = False,
    isolation: IsolationParameter = "worker",
) -> Plan:
    """Run the training function as an experiment: once, or once for each position of the lists.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        args_dict: Argument name to list of values, all of one length: the first values are
            passed together, then the second ones, …; without it the function is called once.
        name: Name of the experiment.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        metric_key: Key of the metric in the returned dict.
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
        keep_files: Keep what a trial writes in the working directory and does not return: True
            for everything, or glob patterns such as "*.keras" or "checkpoints/**". The files come
            into the directory files/ of the trial's, also where it fails.
        isolation: "worker": trials of one worker run one after the other in a process that stays;
            "process": each trial gets a fresh process.

    Returns:
        The result; it unpacks as ``path, outputs = launch(…)``.
    """
    function = TrainingFunction(train)
    configurations = [{}] if args_dict is None else zipped(args_dict)
    check_names(function.callable, configurations[0], argument="args_dict")
    space = {} if args_dict is None else value_lists("args_dict", args_dict)
    warn_of_unread("args_dict", space)
    key = None if metric_key is None else checked_key(metric_key, argument="metric_key")
    return Plan(
        verb="launch",
        experiment_type="EXPERIMENT" if args_dict is None else "PARALLEL_EXPERIMENTS",
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
        ),
        make_search=lambda *_: ListSearch(configurations),
        trials=len(configurations),
        direction=None,
        optimization_key=key,
        needs_metric=False,
        own_directory=args_dict is not None,
        space=space,
    )
