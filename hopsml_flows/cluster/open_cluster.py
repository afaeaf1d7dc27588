"""Opens or joins the Dask cluster of one flow run, and closes it again.

No other module opens a cluster for a flow. Slurm and Kubernetes each have a module that starts
theirs. The flow that opens a cluster owns it, and its subflows use it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import distributed

from hopsml_flows.cluster import kubernetes, slurm
from hopsml_flows.cluster.class_arguments import cause_of
from hopsml_flows.cluster.config import ClusterConfig, GroupSize
from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.cluster.dask_settings import GPU, SETTINGS
from hopsml_flows.cluster.extras import cluster_class
from hopsml_flows.cluster.fork_server import METHOD, ready_fork_server
from hopsml_flows.cluster.local_options import check_own
from hopsml_flows.cluster.machine import memory_share, room_for_workers
from hopsml_flows.cluster.nanny import OwnNanny
from hopsml_flows.cluster.orphans import MARK, end_orphans
from hopsml_flows.cluster.process_settings import (
    held_config,
    held_level,
    held_search_path,
    held_spawn_environment,
)
from hopsml_flows.cluster.project_visibility import check_visible
from hopsml_flows.cluster.scheduler_client import SchedulerClient
from hopsml_flows.cluster.spawn import without_main_module
from hopsml_flows.cluster.timed_start import start_within
from hopsml_flows.cluster.worker_calls import on_all_workers
from hopsml_flows.cluster.worker_plugins import (
    IgnoreInterrupts,
    QuietHeartbeats,
    SpareProcess,
)
from hopsml_flows.errors import HopsmlError, InvalidClusterError, ResourceUnavailableError
from hopsml_flows.execution import visible_gpus
from hopsml_flows.execution.credentials import Lent, listening, receive, take_back
from hopsml_flows.storage import Project
from hopsml_flows.storage.time_limit import within

__all__ = [
    "OpenCluster",
    "check_reachable",
    "close_local_cluster",
    "count_most_workers",
    "count_workers",
    "expect_workers",
    "open_cluster",
    "starts_here",
]

CLOSE_SECONDS = 10
"""Longest wait for a cluster to close by itself."""

NOTICE_SECONDS = 2
"""Longest wait for a client to notice that its scheduler is gone."""

CONNECT_SECONDS = 10
"""Longest wait for a running scheduler to answer."""

_TELL_SECONDS = 30.0
"""Longest wait for workers to answer a message; those that do not are ignored."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenCluster:
    """A running cluster.

    Args:
        client: Its client, for this flow run alone.
        owned: Whether it ends with the flow run.
        most: Workers that it may grow to; None for a cluster that others started.
        resources: Dask resources that each trial asks for.
        mark: The mark of its workers' processes (:mod:`hopsml_flows.cluster.orphans`), if this
            process started them on this machine; otherwise None.
    """

    client: distributed.Client
    owned: bool
    most: int | None
    resources: Mapping[str, float]
    mark: str | None

    @property
    def slots(self) -> int:
        """Trials that can run at once: workers it may grow to, or its threads now; at least 1.

        Raises:
            TimeoutError: The scheduler does not answer within 10 s.
        """
        if self.most is not None:
            return self.most
        return max(1, sum(self._threads().values()))

    @contextmanager
    def telling_its_end(self) -> Iterator[None]:
        """Turn errors of Dask's in the block into a clear one, if the scheduler is gone.

        Raises:
            ResourceUnavailableError: The scheduler is gone.
        """
        try:
            yield
        except OSError as error:  # from Dask or a connection
            if isinstance(error, HopsmlError) or _still_connected(self.client):
                raise
            raise ResourceUnavailableError(
                "the Dask scheduler is gone; finished trials are kept, and the same call with "
                "resume= continues the experiment"
            ) from error

    @contextmanager
    def lending(self) -> Iterator[None]:
        """Give temporary credentials, also renewed ones, to the present workers for the block.

        Trials bring them to workers that join later. At the end, workers that others started get
        back the credentials that they had before.
        """
        lent: list[Lent] = []
        try:
            with listening(lent.append), listening(self._lend):
                yield
        finally:
            if lent and not self.owned:
                self._tell(take_back)

    def _lend(self, lent: Lent) -> None:
        self._tell(receive, lent)

    def _tell(self, function: Callable[..., None], *args: object) -> None:
        # The scheduler is gone, or a worker hangs (TimeoutError); other calls report this.
        with suppress(OSError):
            on_all_workers(self.client, _TELL_SECONDS, function, *args)

    @property
    def worker_count(self) -> int:
        """Workers that it may grow to, or else those it has now.

        Raises:
            TimeoutError: The scheduler does not answer within 10 s.
        """
        return len(self._threads()) if self.most is None else self.most

    def _threads(self) -> dict[str, int]:
        """The number of threads of each worker, by its address."""
        found: dict[str, int] = within(CONNECT_SECONDS, self.client.nthreads, "the scheduler")
        return found


def _still_connected(client: distributed.Client) -> bool:
    """Whether the client still has its scheduler after 2 s; it notices a loss late."""
    end = time.monotonic() + NOTICE_SECONDS
    while client.status == "running":
        if time.monotonic() > end:
            return True
        time.sleep(0.05)
    return False


def check_reachable(config: ClusterConfig, project: Project) -> None:
    """Check that the cluster can be opened, without starting workers.

    Args:
        config: The cluster.
        project: The project, which the workers of a running cluster must see.

    Raises:
        InvalidProjectError: Workers of a running cluster do not see the project.
        InvalidClusterError: The scheduler or the Kubernetes API server does not answer within
            10 s, Slurm's commands are missing, there is no GPU for "cuda", an extra that the kind
            needs is not installed, or the kind does not take an option.
        ResourceUnavailableError: A worker of a running cluster does not answer.
    """
    if config.kind == "address":
        with _connect(config) as client:
            check_visible(client, project)
    elif config.kind == "cuda":
        if not visible_gpus():
            raise InvalidClusterError("cluster", "cuda", because="NVML finds no NVIDIA GPU")
        check_own(config, _cuda_cluster_class())
    elif config.kind == "slurm":
        slurm.check(config)
    elif config.kind == "kubernetes":
        kubernetes.check(config)
    elif config.kind == DEBUG:
        return  # trials run in this process
    else:
        cuda = _gpu_shares(config) is not None
        check_own(config, _cuda_cluster_class() if cuda else distributed.LocalCluster)


def count_workers(config: ClusterConfig) -> int:
    """The number of workers that a running cluster has now.

    Raises:
        InvalidClusterError: Its scheduler does not answer within 10 s.
    """
    with _connect(config) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def count_most_workers(cluster: object) -> int:
    """The largest number of workers that an experiment's cluster may have; starts none.

    Args:
        cluster: The experiment's argument ``cluster``.

    Raises:
        InvalidClusterError: It is no cluster, or its scheduler does not answer.
    """
    config = ClusterConfig.parse(cluster)
    if config.kind == "address":
        return count_workers(config)
    if config.n_workers is not None:
        return config.n_workers
    if config.kind == DEBUG:
        return 1
    gpus = len(visible_gpus()) if config.kind in ("auto", "cuda") else 0
    return gpus or room_for_workers()


def starts_here(config: ClusterConfig) -> bool:
    """Whether :func:`open_cluster` starts workers on this machine."""
    return not config.elsewhere and config.kind not in ("address", DEBUG)


@contextmanager
def expect_workers(config: ClusterConfig, group: GroupSize | None = None) -> Iterator[None]:
    """Begin with what the start of workers on this machine takes longest for; do not wait for it.

    Args:
        config: The cluster that :func:`open_cluster` may open in the block.
        group: As for :func:`open_cluster`.
    """
    with ExitStack() as stack:
        if starts_here(config) and _is_forked(None if group else _gpu_shares(config)):
            # Only the fork server gets the workers' environment.
            with held_spawn_environment():
                stack.enter_context(ready_fork_server(_mark_of_this_process()))
        yield


def _is_forked(shares: _Shares | None) -> bool:
    """Whether workers are forked; those with GPUs are not (:mod:`.fork_server`)."""
    return shares is None


@contextmanager
def open_cluster(
    config: ClusterConfig,
    *,
    trials: int | None = None,
    group: GroupSize | None = None,
    project: Project | None = None,
) -> Iterator[OpenCluster]:
    """Start or join a cluster for the block. A cluster that was started is stopped at the end.

    Args:
        config: The cluster.
        trials: Number of trials; no more workers start than they need. None if it is not known.
        group: The size of each trial's process group, if trials have one. The workers then only
            supervise members, and each sees all GPUs.
        project: The project, which workers that Slurm or Kubernetes starts must see.

    Raises:
        InvalidClusterError: As :func:`check_reachable`.
        InvalidProjectError: Workers that Slurm or Kubernetes started do not see the project.
        ResourceUnavailableError: Too few workers started within ``start_timeout``.
    """
    if config.kind == DEBUG:
        raise InvalidClusterError("cluster", DEBUG, "must be a cluster with workers")
    with ExitStack() as stack:
        if config.kind == "address":
            client = _connect(config)
            stack.callback(client.close)
            share = config.gpus_per_trial
            resources = {GPU: share} if share else {}
            yield OpenCluster(client, owned=False, most=None, resources=resources, mark=None)
            return
        if config.elsewhere:
            workers = _worker_count(config, None, trials, group)
            opened = _open_elsewhere(stack, config, workers, group)
            if project is not None:
                check_visible(opened.client, project)
            yield opened
            return
        shares = None if group else _gpu_shares(config)
        workers = _worker_count(config, shares, trials, group)
        mark = _mark_of_this_process()
        stack.callback(end_orphans, mark)
        stack.enter_context(_quiet())
        stack.enter_context(without_main_module())
        stack.enter_context(held_config(SETTINGS))
        stack.enter_context(held_spawn_environment())
        if _is_forked(shares):
            stack.enter_context(ready_fork_server(mark))
            stack.enter_context(held_config({"distributed.worker.multiprocessing-method": METHOD}))
        # Where NVML is installed and broken, a worker fails to start if Dask queries GPUs.
        stack.enter_context(held_config({"distributed.diagnostics.nvml": shares is not None}))
        # "environ" would be set after a worker's start, and children it forks would lack the mark.
        stack.enter_context(held_config({f"distributed.nanny.pre-spawn-environ.{MARK}": mark}))
        _unmark_this_process()
        cluster = stack.enter_context(_start_here(config, workers, shares, group))
        client = stack.enter_context(SchedulerClient(cluster))
        client.register_plugin(IgnoreInterrupts())
        client.register_plugin(QuietHeartbeats())
        if group is None:
            client.register_plugin(SpareProcess())
        _await_workers(client, workers, config)
        _unmark_this_process()
        if group is None:
            _give_back_idle(cluster, workers, config)
        resources = {GPU: 1 / shares.per_gpu} if shares else {}
        yield OpenCluster(client, owned=True, most=workers, resources=resources, mark=mark)


def _open_elsewhere(
    stack: ExitStack, config: ClusterConfig, workers: int, group: GroupSize | None
) -> OpenCluster:
    """Open a cluster whose workers Slurm or Kubernetes starts."""
    stack.enter_context(_quiet())
    stack.enter_context(held_config(SETTINGS))
    refused: list[BaseException] = []
    if config.kind == "slurm":
        cluster, refused = stack.enter_context(slurm.start(config, workers))
    else:
        cluster = stack.enter_context(kubernetes.start(config, workers))
    client = stack.enter_context(SchedulerClient(cluster))
    _await_workers(client, group.processes if group else 1, config, refused)
    if group is None:
        _give_back_idle(cluster, workers, config)
    share = None if group else config.gpus_per_trial
    resources = {GPU: share} if share else {}
    return OpenCluster(client, owned=True, most=workers, resources=resources, mark=None)


def _await_workers(
    client: distributed.Client,
    count: int,
    config: ClusterConfig,
    refused: Sequence[BaseException] = (),
) -> None:
    """Wait for the workers without which no trial can begin; others may come later."""
    deadline = time.monotonic() + config.start_timeout
    while (there := len(client.nthreads())) < count:
        if refused:
            raise ResourceUnavailableError(f"Slurm refused a job: {refused[0]}") from refused[0]
        if time.monotonic() > deadline:
            raise ResourceUnavailableError(
                f"{there} of {count} workers were there within {config.start_timeout:g} s (the "
                f"cluster's start_timeout); {_WHERE_TO_LOOK.get(config.kind, _HERE)}"
            )
        time.sleep(0.1)


_HERE = "the others ended or hang, and could not say why"
_WHERE_TO_LOOK = {
    "slurm": "the queue (squeue) or the jobs' logs (option log_directory) say why",
    "kubernetes": "the pods say why (kubectl describe pods, kubectl logs)",
}


def _give_back_idle(cluster: Any, workers: int, config: ClusterConfig) -> None:
    """Let Dask close idle workers and start them again when needed, if the user wants that.

    Do not call it for process groups: they pick their own workers, so Dask cannot tell which are
    in use.
    """
    if config.idle_timeout is None:
        return
    if config.kind == "kubernetes":  # the operator does it, with its own timeout
        cluster.adapt(minimum=0, maximum=workers)
        return
    cluster.adapt(
        minimum=0,
        maximum=workers,
        interval="1s",
        wait_count=max(1, round(config.idle_timeout)),
        # One worker per waiting trial, however short Dask estimates the trial to be.
        target_duration="1ms",
    )


@functools.cache
def _mark_of_this_process() -> str:
    """The mark of all worker processes that this process starts.

    All clusters of this process share it, because Dask reads it from its global configuration for
    each new nanny. So marked processes may be ended only if their worker is gone.
    """
    return uuid.uuid4().hex


def _unmark_this_process() -> None:
    """Remove the mark from this process's environment.

    Before a start: a mark inherited from another driver would win over the configuration. After a
    start: Dask leaves the mark there, and other programs that this process starts are no workers.
    """
    os.environ.pop(MARK, None)


@dataclass(frozen=True, slots=True)
class _Shares:
    """The GPUs of this machine, each divided into ``per_gpu`` equal shares."""

    gpus: list[str]
    per_gpu: int

    @property
    def devices(self) -> list[str]:
        """The GPU of each worker process."""
        return [gpu for _ in range(self.per_gpu) for gpu in self.gpus]


def _gpu_shares(config: ClusterConfig) -> _Shares | None:
    gpus = visible_gpus()
    if config.kind == "local" or config.gpus_per_trial == 0 or not gpus:
        return None
    return _Shares(gpus, round(1 / (config.gpus_per_trial or 1)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log lines below ERROR out of the user's terminal for the block.

    The last of several overlapping blocks restores the levels and the search path for modules.
    """
    # The scheduler logs a worker's death as an error; the driver reports its effect instead.
    with (
        held_search_path(),
        held_level("distributed", logging.ERROR),
        held_level("distributed.scheduler", logging.CRITICAL),
    ):
        yield


def _worker_count(
    config: ClusterConfig, shares: _Shares | None, trials: int | None, group: GroupSize | None
) -> int:
    if group is not None:
        room, each = room_for_workers(), group.processes
        if group.use_gpus and (gpus := len(visible_gpus())):
            room, each = gpus, group.computing
        fitting = max(1, room // max(1, each)) * group.processes
        wanted = config.n_workers or fitting
        return wanted if trials is None else min(wanted, trials * group.processes)
    most = config.n_workers or (len(shares.devices) if shares else room_for_workers())
    return max(1, most if trials is None else min(most, trials))


@contextmanager
def _start_here(
    config: ClusterConfig, workers: int, shares: _Shares | None, group: GroupSize | None
) -> Iterator[Any]:
    limit = config.memory_limit
    arguments: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "memory_limit": memory_share(workers) if limit == "auto" else limit,
        # Any free port: only one cluster per machine can have Dask's default port. No dashboard:
        # its import takes a second.
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": "dashboard_address" in config.options},
        "silence_logs": logging.ERROR,
    }
    if config.options.get("processes", True) and not config.options.get("log_spilling"):
        arguments["worker_class"] = OwnNanny
    if shares is not None:
        arguments["CUDA_VISIBLE_DEVICES"] = shares.devices
        arguments["resources"] = {GPU: 1 / shares.per_gpu}
        kind = _cuda_cluster_class()
    else:
        arguments["processes"] = True
        kind = distributed.LocalCluster
        if visible_gpus() and not (group and group.use_gpus):  # for trials on the CPU
            arguments["env"] = {"CUDA_VISIBLE_DEVICES": ""}
    try:
        cluster = start_within(config.start_timeout, kind, {**arguments, **config.options})
    except HopsmlError:
        raise
    except Exception as error:
        if not config.options:
            raise
        raise InvalidClusterError(
            "cluster.options",
            dict(config.options),
            f"must be what Dask can start with ({cause_of(error)})",
        ) from error
    try:
        yield cluster
    finally:
        close_local_cluster(cluster)


def close_local_cluster(cluster: Any) -> None:
    """Close a cluster of this machine. Kill the workers that have not ended after 10 s.

    If a worker dies before its nanny has heard of its start, two coroutines of the nanny read one
    queue. The older one may take and drop the message that the next process is up. The nanny then
    waits for that message without limit, and so does the caller that closes the nanny.
    """
    try:
        cluster.close(timeout=CLOSE_SECONDS)
    except TimeoutError:
        for nanny in list(cluster.workers.values()):
            # The nanny's event loop may release the process meanwhile.
            with suppress(ProcessLookupError, AttributeError, ValueError):
                if (pid := nanny.pid) is not None:
                    os.kill(pid, signal.SIGKILL)


def _cuda_cluster_class() -> Any:
    return cluster_class("cuda", "dask_cuda", "LocalCUDACluster", extra="gpu")


def _connect(config: ClusterConfig) -> distributed.Client:
    _probe(str(config.address))
    return SchedulerClient(config.address, timeout=CONNECT_SECONDS)


def _probe(address: str) -> None:
    """Ask the scheduler for its identity, with a time limit.

    Dask's client would wait without limit for a peer that accepts a connection and says nothing.
    """

    async def ask() -> None:
        async with distributed.core.rpc(address) as scheduler:
            await scheduler.identity()

    try:
        within(CONNECT_SECONDS, lambda: asyncio.run(asyncio.wait_for(ask(), CONNECT_SECONDS)))
    except (OSError, TimeoutError, ValueError) as error:
        raise InvalidClusterError(
            "cluster",
            address,
            because="no scheduler answered there within "
            f"{CONNECT_SECONDS} s ({type(error).__name__})",
        ) from error
