"""The options of process groups, judged before anything starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hopsml_flows.cluster import ClusterConfig, GroupSize
from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError
from hopsml_flows.execution import visible_gpus
from hopsml_flows.trials import Framework, GroupShape
from hopsml_flows.values.arguments import seconds, whole_number

__all__ = [
    "GroupOptions",
    "checked_count",
    "checked_group",
    "checked_variables",
    "checked_wait",
    "group_of_search",
]


MOST_PROCESSES = 10_000
"""The most processes of one kind; each needs a worker, and more are a slip of the finger."""


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """The options of distributed trials.

    Args:
        shape: The members of a process group.
        wait_for_workers: Seconds to wait for enough workers; None for 20.
        environment: Environment variables of the members.
        use_gpus: Whether members use GPUs if there are any.
        several: Whether there are several trials, which share the workers.
        fills_cluster: Whether the group takes all workers that a running cluster has room for.
    """

    shape: GroupShape
    wait_for_workers: float | None
    environment: Mapping[str, str]
    use_gpus: bool
    several: bool
    fills_cluster: bool = False

    @property
    def size(self) -> GroupSize:
        """The size of a trial, for the cluster."""
        shape = self.shape
        return GroupSize(len(shape.members), len(shape.needs_gpu), self.use_gpus)

    def filling(self, workers: int) -> GroupOptions:
        """Return the options of a group that fills a cluster.

        Args:
            workers: The workers of the cluster.

        Raises:
            InvalidClusterError: They are too few for the smallest such group.
        """
        smallest = replace(self.shape, workers=1)
        beside = len(smallest.members) - 1
        if workers <= beside:
            raise InvalidClusterError(
                "cluster", workers, f"must have at least {beside + 1} workers ({smallest})"
            )
        return replace(self, shape=replace(self.shape, workers=workers - beside))


def checked_group(
    framework: Framework,
    cluster: ClusterConfig,
    *,
    num_workers: object,
    wait_for_workers: float | None,
    environment: Mapping[str, str],
    num_ps: object = 0,
    evaluator: object = False,
) -> GroupOptions:
    """Return the judged arguments of a verb for distributed training.

    Args:
        framework: The framework of the members.
        cluster: The cluster that they run on.
        num_workers: Members that train; None for as many as the cluster has room for.
        wait_for_workers: Seconds to wait for enough workers, or None; already judged.
        environment: Environment variables of the members; already judged.
        num_ps: Number of parameter servers.
        evaluator: Whether there is an evaluator.

    Raises:
        InvalidArgumentError: One is wrong; the message names it.
        InvalidClusterError: The cluster is to have fewer workers than the group has members.
    """
    if not isinstance(evaluator, bool):
        raise InvalidArgumentError("evaluator", evaluator, "must be True or False")
    with_ps = framework is Framework.PARAMETER_SERVER
    ps = checked_count("num_ps", num_ps) if with_ps else 0
    workers = None if num_workers is None else checked_count("num_workers", num_workers)
    shape = GroupShape(framework, workers or 1, ps, evaluator)
    options = GroupOptions(
        shape=shape,
        wait_for_workers=wait_for_workers,
        environment=environment,
        use_gpus=cluster.kind != "local" and cluster.gpus_per_trial != 0,
        several=False,
        fills_cluster=workers is None and cluster.kind == "address",
    )
    if workers is None and not options.fills_cluster:
        if cluster.n_workers is not None:
            options = options.filling(cluster.n_workers)
        else:
            count = _usual_workers(framework, options.use_gpus)
            options = replace(options, shape=replace(shape, workers=count))
    _check_size(cluster, options.shape)
    return options


def group_of_search(cluster: ClusterConfig, processes: int) -> GroupOptions | None:
    """Return the process group of each trial of a search.

    Args:
        cluster: The cluster that the trials run on.
        processes: Processes that train together as one trial.

    Returns:
        None if a trial is one process.

    Raises:
        InvalidClusterError: The cluster is to have fewer workers than that.
    """
    if processes == 1:
        return None
    shape = GroupShape(Framework.ANY, processes)
    _check_size(cluster, shape)
    return GroupOptions(
        shape=shape,
        wait_for_workers=None,
        environment={},
        use_gpus=cluster.kind != "local" and cluster.gpus_per_trial != 0,
        several=True,
    )


def _usual_workers(framework: Framework, use_gpus: bool) -> int:
    """Return how many members train on this machine if the user does not say."""
    gpus = len(visible_gpus()) if use_gpus else 0
    if framework is Framework.MIRRORED:
        return 1  # over all GPUs
    return gpus or 2


def _check_size(cluster: ClusterConfig, shape: GroupShape) -> None:
    if cluster.kind == DEBUG:
        raise InvalidClusterError(
            "cluster", DEBUG, because=f"process groups need workers ({shape})"
        )
    if cluster.n_workers is not None and cluster.n_workers < len(shape.members):
        raise InvalidClusterError(
            "cluster.n_workers",
            cluster.n_workers,
            f"must be at least {len(shape.members)}, one per process ({shape})",
        )


def checked_count(argument: str, value: object) -> int:
    """Return a number of processes, judged.

    Args:
        argument: The argument's name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is not an integer from 1 to 10,000.
    """
    return whole_number(argument, value, least=1, most=MOST_PROCESSES)


def checked_wait(argument: str, value: object) -> float | None:
    """Return the seconds to wait for enough workers, judged.

    Args:
        argument: The argument's name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is neither a number of seconds nor None.
    """
    return None if value is None else seconds(argument, value, zero=True, otherwise=", or None")


def checked_variables(argument: str, value: object) -> dict[str, str]:
    """Return environment variables of processes, judged.

    Args:
        argument: The argument's name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is neither a dict of strings nor None.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and name and "=" not in name and isinstance(text, str)
        for name, text in value.items()
    ):
        raise InvalidArgumentError(argument, value, "must be a dict of strings, or None")
    if any("\0" in name + text for name, text in value.items()):
        raise InvalidArgumentError(argument, value, "must have no NUL characters")
    return dict(value)
