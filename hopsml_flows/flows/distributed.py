"""``experiment.distributed``: training with PyTorch in several processes."""

from __future__ import annotations

from typing import Unpack

from hopsml_flows.execution import TrainingFunction
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.distributed_training import training_plan
from hopsml_flows.plan.group_options import checked_group
from hopsml_flows.plan.options import Options, TrainingOptions
from hopsml_flows.plan.plan import Plan
from hopsml_flows.plan.run_form import (
    PositiveParameter,
    TrainParameter,
)
from hopsml_flows.trials import Framework, RunResult

__all__ = ["distributed"]


@experiment_flow(RunResult)
def distributed(
    train: TrainParameter,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    metric_key: str | None = None,
    *,
    num_workers: PositiveParameter | None = None,
    **options: Unpack[TrainingOptions],
) -> Plan:
    """Train one model in several PyTorch processes.

    What ``torch.distributed.init_process_group`` reads from the environment is set: MASTER_ADDR,
    MASTER_PORT, RANK, WORLD_SIZE and LOCAL_RANK. Each process sees its own GPUs alone.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name"); each process calls it, without
            arguments.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until training ends.
        description: Free text for the record.
        metric_key: Key of the metric in the dict that the first process returns.
        num_workers: Processes. None takes one per worker of a running cluster, else ``n_workers``
            of the ClusterConfig, else one per GPU, else 2.
        **options: Those of :class:`~hopsml_flows.plan.options.TrainingOptions`.

    Returns:
        The result; it unpacks as ``path, outputs = distributed(…)``, with the
        outputs of the first process.
    """
    function = TrainingFunction(train)
    checked = Options.checked(
        TrainingOptions,
        options,
        train=function,
        name=name,
        description=description,
        local_logdir=local_logdir,
    )
    group = checked_group(
        Framework.TORCH,
        checked.cluster,
        num_workers=num_workers,
        wait_for_workers=checked.wait_for_workers,
        environment=checked.environment,
    )
    return training_plan("distributed", function, checked, group, metric_key)
