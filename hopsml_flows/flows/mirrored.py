"""``experiment.mirrored``: training with synchronous copies of the model, as in HopsML."""

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

__all__ = ["collective_all_reduce", "mirrored"]


@experiment_flow(RunResult)
def mirrored(
    train: TrainParameter,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    evaluator: bool = False,
    metric_key: str | None = None,
    *,
    num_workers: PositiveParameter | None = None,
    **options: Unpack[TrainingOptions],
) -> Plan:
    """Train one model with synchronous copies of it: on several GPUs, or in several processes.

    One worker uses ``tf.distribute.MirroredStrategy`` over its GPUs, several use
    ``MultiWorkerMirroredStrategy``: the training function makes it, ``TF_CONFIG`` is set.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name"); each process calls it, without
            arguments.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until training ends.
        description: Free text for the record.
        evaluator: Run one more process, which evaluates the checkpoints of the others.
        metric_key: Key of the metric in the dict that the chief returns.
        num_workers: Processes that train together, the chief among them. None takes one per worker
            of a running cluster, else ``n_workers`` of the ClusterConfig, else 1.
        **options: Those of :class:`~hopsml_flows.plan.options.TrainingOptions`.

    Returns:
        The result; it unpacks as ``path, outputs = mirrored(…)``, with the
        outputs of the chief.
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
        Framework.MIRRORED,
        checked.cluster,
        num_workers=num_workers,
        evaluator=evaluator,
        wait_for_workers=checked.wait_for_workers,
        environment=checked.environment,
    )
    return training_plan("mirrored", function, checked, group, metric_key)


collective_all_reduce = mirrored.named_as_before("collective_all_reduce")
"""HopsML's older name of :func:`mirrored`."""
