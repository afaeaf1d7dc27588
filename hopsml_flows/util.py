"""A grid as lists, and the numbers of processes, named as in ``hops.util``."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hopsml_flows.search import value_lists
from hopsml_flows.unavailable import SDK, unavailable

if TYPE_CHECKING:
    from hopsml_flows.cluster import ClusterConfig

__all__ = ["grid_params", "num_executors", "num_param_servers"]


def grid_params(dict: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:  # noqa: A002 - HopsML's name
    """Return all combinations of values as lists of equal length, for ``experiment.launch``.

    Args:
        dict: Hyperparameter name to its values.

    Returns:
        Hyperparameter name to its value in each combination; the last name changes fastest.

    Raises:
        InvalidSpaceError: There are no names, or one has something other than a list of values
            that JSON can hold.

    Example:
        >>> from hopsml_flows import util
        >>> util.grid_params({"lr": [0.1, 0.01], "units": [8, 16]})
        {'lr': [0.1, 0.1, 0.01, 0.01], 'units': [8, 16, 8, 16]}
    """
    lists = value_lists("dict", dict)
    combinations = list(itertools.product(*lists.values()))
    return {name: [values[at] for values in combinations] for at, name in enumerate(lists)}


def num_executors(cluster: str | ClusterConfig | Mapping[str, Any] = "auto") -> int:
    """Return how many trials an experiment can run at the same time: the cluster's most workers.

    Args:
        cluster: The experiment's ``cluster`` argument.

    Raises:
        InvalidClusterError: The argument names no cluster, or its scheduler does not answer.
    """
    # Here, because it imports Dask, which most programs that import this module do not need.
    from hopsml_flows.cluster.open_cluster import count_most_workers

    return count_most_workers(cluster)


def num_param_servers() -> int:
    """Return the number of parameter servers of a distributed trial.

    Inside one, the variable ``TF_CONFIG`` lists them. Elsewhere this is 1, the default of
    ``experiment.parameter_server``.

    Example:
        >>> from hopsml_flows import util
        >>> util.num_param_servers()
        1
    """
    config = os.environ.get("TF_CONFIG")
    if config is None:
        return 1
    return len(json.loads(config).get("cluster", {}).get("ps", []))


_PLAIN = "calls Hopsworks' REST API, which experiments do not need here: leave it out"
__getattr__ = unavailable(
    __name__,
    {
        **dict.fromkeys(("send_request", "get_hopsworks_rest_endpoint", "set_auth_header"), _PLAIN),
        **dict.fromkeys(("get_job_name", "get_jwt", "get_secret", "connect"), SDK),
        "get_gpu_info": "is now devices.gpus()",
        "num_gpus": "is now devices.get_num_gpus()",
    },
)
