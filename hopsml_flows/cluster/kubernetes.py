"""Starts workers as Kubernetes pods, by the Dask operator, which must run in that cluster.

Dask's scheduler and workers are pods of an image that contains this package. This process may be
outside the Kubernetes cluster: it uses the configuration of ``kubectl``, and the scheduler's port
is forwarded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from hopsml_flows.cluster.class_arguments import check_options
from hopsml_flows.cluster.dask_settings import GPU, as_environment
from hopsml_flows.cluster.extras import cluster_class
from hopsml_flows.errors import InvalidClusterError

if TYPE_CHECKING:
    from hopsml_flows.cluster.config import ClusterConfig

__all__ = ["arguments", "check", "start"]

CONNECT_SECONDS = 10.0
"""Longest wait for the API server to answer."""

CLOSE_SECONDS = 30
"""Longest wait for the pods to be deleted."""

_OPERATOR = "/apis/kubernetes.dask.org"


def check(config: ClusterConfig) -> None:
    """Check that a Kubernetes API server answers and knows Dask clusters.

    Raises:
        InvalidClusterError: It does not, dask-kubernetes is missing, or an option is wrong.
    """
    check_options(arguments(config, 1), _cluster_class())
    answer: Future[int] = Future()

    def run() -> None:
        try:
            answer.set_result(asyncio.run(_ask_api_server()))
        except BaseException as error:  # handed to the caller
            answer.set_exception(error)

    # A daemon thread with its own event loop: a call that hangs there delays no exit.
    threading.Thread(target=run, name="hopsml-kubernetes", daemon=True).start()
    try:
        status = answer.result(CONNECT_SECONDS)
    except Exception as error:  # from kr8s, httpx, ssl, or reading the credentials
        raise InvalidClusterError(
            "cluster",
            "kubernetes",
            because=f"no Kubernetes API server answered within {CONNECT_SECONDS:g} s at the "
            f"address that kubectl uses ({type(error).__name__}: {error})",
        ) from error
    if status != 200:
        raise InvalidClusterError(
            "cluster",
            "kubernetes",
            because="the Kubernetes API server does not know Dask clusters (status "
            f"{status} of {_OPERATOR}): install the Dask operator there",
        )


def arguments(config: ClusterConfig, workers: int) -> dict[str, Any]:
    """Arguments of dask-kubernetes' cluster class.

    Args:
        config: A cluster of kind "kubernetes"; its options are dask-kubernetes'.
        workers: Number of workers.

    Raises:
        InvalidClusterError: The option ``image`` is missing. The default image of dask-kubernetes
            lacks this package.
    """
    options = dict(config.options)
    if "custom_cluster_spec" in options:  # the user's own manifest decides everything
        return {"quiet": True, **options}
    if not options.get("image"):
        raise InvalidClusterError(
            "cluster.options", dict(config.options), "must have 'image', with this package in it"
        )
    command = options.pop("worker_command", None) or ["dask-worker"]
    command = command.split() if isinstance(command, str) else list(command)
    command += ["--nthreads", "1", "--nworkers", "1"]
    command += ["--memory-limit", str(config.memory_limit or 0)]
    if config.gpus_per_trial:
        command += ["--resources", f"{GPU}={config.gpus_per_trial:g}"]
    given = options.pop("env", None) or {}
    if not isinstance(given, dict):  # a list of entries, as in a manifest
        ours = [{"name": name, "value": value} for name, value in as_environment().items()]
        environment: Any = [*ours, *given]
    else:
        environment = {**as_environment(), **given}
    return {
        "quiet": True,
        "resource_timeout": max(1, round(config.start_timeout)),
        **options,
        "n_workers": workers,
        "worker_command": command,
        "env": environment,
    }


@contextmanager
def start(config: ClusterConfig, workers: int) -> Iterator[Any]:
    """Create the pods for the block, and delete them at its end.

    Args:
        config: A cluster of kind "kubernetes".
        workers: Number of workers.

    Yields:
        The cluster.

    Raises:
        InvalidClusterError: As :func:`check`, or the operator did not create the cluster.
    """
    check(config)  # dask-kubernetes itself would fail late, and leave half a cluster
    try:
        cluster = _cluster_class()(**arguments(config, workers))
    except Exception as error:  # kr8s, httpx and dask-kubernetes share no base class
        raise InvalidClusterError(
            "cluster", "kubernetes", because=f"it was not created ({type(error).__name__}: {error})"
        ) from error
    try:
        yield cluster
    finally:
        with suppress(TimeoutError):
            cluster.close(timeout=CLOSE_SECONDS)


async def _ask_api_server() -> int:
    """Ask the API server about Dask clusters; return the HTTP status of its answer."""
    import kr8s.asyncio

    api = await kr8s.asyncio.api()
    async with api.call_api(
        base=_OPERATOR, version="", url="v1", raise_for_status=False
    ) as response:
        return int(response.status_code)


def _cluster_class() -> Any:
    return cluster_class(
        "kubernetes", "dask_kubernetes.operator", "KubeCluster", extra="kubernetes"
    )
