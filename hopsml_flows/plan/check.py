"""Checks a plan against storage and cluster, before anything is started."""

from __future__ import annotations

from dataclasses import replace

from hopsml_flows.cluster.open_cluster import check_reachable, count_workers
from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.plan.champion import find_champion
from hopsml_flows.plan.earlier_record import earlier_record
from hopsml_flows.plan.plan import Plan
from hopsml_flows.plan.resume import check_is_over, continue_experiment
from hopsml_flows.plan.warm_start import take_seeds

__all__ = ["prepare"]


def prepare(plan: Plan) -> Plan:
    """Check that the project can be written and the cluster reached.

    Args:
        plan: The plan that a verb made.

    Returns:
        The plan to run. A plan that resumes an experiment gets its seed; a plan with a warm start
        gets the earlier experiment's configurations.

    Raises:
        InvalidProjectError: The project cannot be written, or workers cannot see it.
        InvalidClusterError: The cluster cannot be reached.
        InvalidArgumentError: The experiment that ``resume`` or ``warm_start`` names, or the best
            version of the model that ``only_if_better`` names, does not exist or does not match;
            or the user's code says that a name is wrong.
    """
    project = plan.options.project
    if project.in_memory and plan.options.cluster.kind != "address":
        raise InvalidProjectError(
            "project", project.url, "must be storage that other processes see, too"
        )
    project.check_writable()
    if plan.options.resume is None:
        ready = take_seeds(plan)
    else:
        record = earlier_record(project, plan.options.resume)
        ready = continue_experiment(plan, record)
        check_is_over(project, record)
    find_champion(ready, ready.options.resume)
    check_reachable(plan.options.cluster, project)
    if plan.look is not None:
        plan.look()
    group = plan.group
    if group is not None and group.fills_cluster:
        filling = group.filling(count_workers(plan.options.cluster))
        return replace(ready, options=replace(ready.options, group=filling))
    return ready
