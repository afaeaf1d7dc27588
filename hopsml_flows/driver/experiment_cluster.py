"""The cluster of an experiment, which may start before the experiment's flow run exists."""

from __future__ import annotations

from contextlib import AbstractContextManager

from hopsml_flows.cluster.early_cluster import EarlyCluster
from hopsml_flows.cluster.open_cluster import (
    OpenCluster,
    expect_workers,
    open_cluster,
    starts_here,
)
from hopsml_flows.plan.plan import Plan

__all__ = ["expected_workers", "experiment_cluster", "start_early"]


def expected_workers(plan: Plan) -> AbstractContextManager[None]:
    """Let what workers need be imported while the plan is checked; this ends with the block.

    Args:
        plan: The plan, judged from its arguments alone.
    """
    return expect_workers(plan.options.cluster, plan.group.size if plan.group else None)


def experiment_cluster(plan: Plan) -> AbstractContextManager[OpenCluster]:
    """The cluster of an experiment, open for the block.

    Args:
        plan: The checked plan.
    """
    return open_cluster(
        plan.options.cluster,
        trials=plan.trials,
        group=plan.group.size if plan.group else None,
        project=plan.options.project,
    )


def start_early(plan: Plan) -> EarlyCluster[OpenCluster] | None:
    """Start the cluster of a checked plan in the background; None if that may be in vain.

    An experiment to resume may have no trial left. Workers that Slurm or Kubernetes starts cost
    others something.

    Args:
        plan: The checked plan.
    """
    if plan.options.resume is not None or not starts_here(plan.options.cluster):
        return None
    return EarlyCluster(experiment_cluster(plan))
