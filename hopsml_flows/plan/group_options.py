"""What a verb is told of the processes of its trials, judged before anything starts. Pure."""

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
"""So many of a kind are no slip of the finger; each is a worker."""


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """What distributed trials take besides.

    Args:
        shape: The processes of a trial.
        wait_for_workers: Seconds to wait for enough workers; None for 20.
        environment: Environment variables of the processes.
        use_gpus: Whether GPUs are used where there are any.
        several: Whether there are several trials, which share the workers.
        fills_cluster: Whether there are as many workers as a running cluster has room for.
    """

    shape: GroupShape
    wait_for_workers: float | None
    environment: Mapping[str, str]
    use_gpus: bool
    several: bool
    fills_cluster: bool = False

    @property
    def size(self) -> GroupSize:
        """What the cluster must know of a trial."""
        shape = self.shape
        return GroupSize(len(shape.members), len(shape.needs_gpu), self.use_gpus)

    def filling(self, workers: int) -> GroupOptions:
        """The options for a cluster of so many workers.

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
    """Judge the arguments of a verb for distributed training.

    Args:
        framework: Whose processes they are.
        cluster: Where they run.
        num_workers: Processes that train; None for as many as the cluster has room for.
        wait_for_workers: Seconds to wait for enough workers, or None; judged.
        environment: Environment variables of the processes; judged.
        num_ps: Parameter servers.
        evaluator: Whether there is an evaluator besides.

    Raises:
        InvalidArgumentError: One is wrong; the message names it.
        InvalidClusterError: The cluster is to have fewer workers than there are processes.
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
    """The group that each trial of a search is.

    Args:
        cluster: Where the trials run.
        processes: Processes that train together as one trial.

    Returns:
        None where a trial is one process.

    Raises:
        InvalidClusterError: The cluster is to have fewer workers.
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
    """Training processes on this machine, where nobody says how many."""
    gpus = len(visible_gpus()) if use_gpus else 0
    if framework is Framework.MIRRORED:
        return 1  # over all GPUs
    return gpus or 2


def _check_size(cluster: ClusterConfig, shape: GroupShape) -> None:
    if cluster.kind == DEBUG:
        raise InvalidClusterError(
            "cluster", DEBUG, because=f"a trial of several processes needs workers ({shape})"
        )
    if cluster.n_workers is not None and cluster.n_workers < len(shape.members):
        raise InvalidClusterError(
            "cluster.n_workers",
            cluster.n_workers,
            f"must be at least {len(shape.members)}, one a process ({shape})",
        )


def checked_count(argument: str, value: object) -> int:
    """Judge a number of processes.

    Args:
        argument: The argument's name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is not an integer from 1 to 10,000.
    """
    return whole_number(argument, value, least=1, most=MOST_PROCESSES)


def checked_wait(argument: str, value: object) -> float | None:
    """Judge how long to wait for enough workers.

    Args:
        argument: The argument's name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is neither a number of seconds nor None.
    """
    return None if value is None else seconds(argument, value, zero=True, otherwise=", or None")


def checked_variables(argument: str, value: object) -> dict[str, str]:
    """Judge environment variables of processes.

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
