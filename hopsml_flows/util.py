"""What programs ask of ``hops.util``: a grid as lists, and how many processes there are."""

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
    """All combinations of values as lists of one length, as ``experiment.launch`` takes them.

    Args:
        dict: Hyperparameter name to its values.

    Returns:
        Hyperparameter name to its value in each combination; the last name changes fastest.
    """
    lists = value_lists("dict", dict)
    combinations = list(itertools.product(*lists.values()))
    return {name: [values[at] for values in combinations] for at, name in enumerate(lists)}


def num_executors(cluster: str | ClusterConfig | Mapping[str, Any] = "auto") -> int:
    """How many trials an experiment can run at once: its workers at most.

    Args:
        cluster: What the experiment would be given as ``cluster``.

    Raises:
        InvalidClusterError: It is none, or its scheduler does not answer.
    """
    # It imports Dask, which a training function's import of this module does not need.
    from hopsml_flows.cluster.open_cluster import count_most_workers

    return count_most_workers(cluster)


def num_param_servers() -> int:
    """How many parameter servers a distributed training has.

    Inside of one they are counted (``TF_CONFIG``). Elsewhere it is what
    ``experiment.parameter_server`` starts when its ``num_ps`` is not given.
    """
    config = os.environ.get("TF_CONFIG")
    if config is None:
        return 1
    return len(json.loads(config).get("cluster", {}).get("ps", []))


_PLAIN = "talks to Hopsworks' REST API, which experiments do not need here: leave it out"
__getattr__ = unavailable(
    __name__,
    {
        **dict.fromkeys(("send_request", "get_hopsworks_rest_endpoint", "set_auth_header"), _PLAIN),
        **dict.fromkeys(("get_job_name", "get_jwt", "get_secret", "connect"), SDK),
        "get_gpu_info": "is now devices.gpus()",
        "num_gpus": "is now devices.get_num_gpus()",
    },
)
