"""``experiment.parameter_server``: training with parameter servers, as in HopsML."""

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

__all__ = ["parameter_server"]


@experiment_flow(RunResult)
def parameter_server(
    train: TrainParameter,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    evaluator: bool = False,
    metric_key: str | None = None,
    *,
    num_workers: PositiveParameter | None = None,
    num_ps: PositiveParameter = 1,
    **options: Unpack[TrainingOptions],
) -> Plan:
    """Train one model whose variables lie on parameter servers, with workers that do not wait.

    The training function makes a ``tf.distribute.ParameterServerStrategy`` in the chief; in
    workers and parameter servers it calls ``hopsml_flows.distributed.serve()``. ``TF_CONFIG`` is
    set, and parameter servers see no GPU.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name"); each process calls it, without
            arguments.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until training ends.
        description: Free text for the record.
        evaluator: Run one more process, which evaluates the checkpoints of the others.
        metric_key: Key of the metric in the dict that the chief returns.
        num_workers: Workers besides the chief. None takes as many as a running cluster or
            ``n_workers`` of the ClusterConfig has room for, else one per GPU, else 2.
        num_ps: Parameter servers.
        **options: Those of :class:`~hopsml_flows.plan.options.TrainingOptions`.

    Returns:
        The result; it unpacks as ``path, outputs = parameter_server(…)``, with the
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
        Framework.PARAMETER_SERVER,
        checked.cluster,
        num_workers=num_workers,
        num_ps=num_ps,
        evaluator=evaluator,
        wait_for_workers=checked.wait_for_workers,
        environment=checked.environment,
    )
    return training_plan("parameter_server", function, checked, group, metric_key)
