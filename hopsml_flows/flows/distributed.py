"""``experiment.distributed``: training with PyTorch in several processes."""

from __future__ import annotations

from hopsml_flows.execution import SYNC_SECONDS
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.distributed_training import training_plan
from hopsml_flows.plan.group_options import checked_group
from hopsml_flows.plan.plan import Options, Plan
from hopsml_flows.plan.run_form import (
    ClusterParameter,
    CountParameter,
    KeepFilesParameter,
    ProcessesParameter,
    SecondsParameter,
    TrainParameter,
)
from hopsml_flows.trials import Framework

__all__ = ["distributed"]


@experiment_flow
def distributed(
    train: TrainParameter,
    name: str = "no-name",
    local_logdir: bool = False,
    description: str | None = None,
    metric_key: str | None = None,
    *,
    num_workers: ProcessesParameter | None = None,
    wait_for_workers: float | None = None,
    environment: dict[str, str] | None = None,
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
) -> Plan:
    """Train one model in several PyTorch processes.

    What ``torch.distributed.init_process_group`` reads from the environment is set: MASTER_ADDR,
    MASTER_PORT, RANK, WORLD_SIZE and LOCAL_RANK. Each process sees its own GPUs alone.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name"); each process calls it, without
            arguments.
        name: Name of the experiment.
        local_logdir: Keep TensorBoard events on the worker until training ends.
        description: Free text for the record.
        metric_key: Key of the metric in the dict that the first process returns.
        num_workers: Processes; None for one a worker of a running cluster, and else for
            ``n_workers`` of the ClusterConfig, or one a GPU, or 2.
        wait_for_workers: Seconds to wait for enough workers; None for 20.
        environment: Environment variables of the processes, set before anything is imported.
        project: Project root as an fsspec URL or a local path.
        cluster: "auto", "local", "cuda", a scheduler's address, a YAML file of a cluster's
            definition, or a ClusterConfig.
        seed: Kept in the record.
        retries: How often all processes are started again, from the last checkpoint, after one
            of them died.
        trial_timeout: Seconds after which training is stopped and has failed; None for no limit.
        tags: Tags of the flow run and the record.
        resume: Identifier of an experiment to go on with, from its last checkpoint.
        progress: Print progress and results.
        sync_interval: Seconds between two times that logs, events and checkpoints are brought to
            a project that is not local.
        tensorboard: Show the experiment in a TensorBoard while it runs; None for yes, unless
            HOPSML_TENSORBOARD=false is in the environment.
        keep_files: Keep what the first process writes in the working directory and does not
            return: True for everything, or glob patterns such as "*.keras" or "checkpoints/**".
            The files come into the directory files/ of the trial's, also where it fails.

    Returns:
        The result; it unpacks as ``path, outputs = distributed(…)``, with the
        outputs of the first process.
    """
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
    )
    group = checked_group(
        Framework.TORCH,
        options.cluster,
        num_workers=num_workers,
        wait_for_workers=wait_for_workers,
        environment=environment,
    )
    return training_plan("distributed", train, options, group, metric_key)
