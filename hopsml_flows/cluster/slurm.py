"""Workers as jobs of Slurm, by dask-jobqueue: one job a worker, or a few workers a job.

The scheduler runs in this process, which must be on a machine that submits jobs and that compute
nodes can reach.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import distributed
from dask.utils import parse_bytes
from tornado.ioloop import PeriodicCallback

from hopsml_flows.cluster.class_arguments import check_options
from hopsml_flows.cluster.config_fields import of_cluster
from hopsml_flows.cluster.dask_settings import GPU, as_environment
from hopsml_flows.cluster.extras import cluster_class
from hopsml_flows.errors import InvalidClusterError
from hopsml_flows.values.arguments import whole_number

if TYPE_CHECKING:
    from hopsml_flows.cluster.config import ClusterConfig

__all__ = ["arguments", "check", "started"]

LOOK_SECONDS = 15.0
"""Time between two looks for jobs that Slurm has ended."""

CLOSE_SECONDS = 30
"""Longest wait for the jobs to be cancelled."""

_MOST_CORES = 100_000
"""More cores or workers in one job are a slip of the finger."""

_COMMANDS = ("sbatch", "scancel", "squeue")

_logger = logging.getLogger(__name__)


def check(config: ClusterConfig) -> None:
    """Find out whether jobs can be submitted here.

    Raises:
        InvalidClusterError: Slurm's commands or dask-jobqueue are missing, or an option is wrong.
    """
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        raise InvalidClusterError(
            "cluster", "slurm", because=f"Slurm's commands {', '.join(missing)} are not found"
        )
    kind = _cluster_class()
    check_options(arguments(config), kind, kind.job_cls)


def arguments(config: ClusterConfig) -> dict[str, Any]:
    """Arguments of dask-jobqueue's cluster class.

    Args:
        config: A cluster of kind "slurm". Of its options, ``cores`` are CPUs of a job, and
            ``processes`` workers in it, each of one thread; the others are dask-jobqueue's.

    Raises:
        InvalidClusterError: The memory of a job is missing.
    """
    options = dict(config.options)
    if "memory" not in options:
        raise InvalidClusterError(
            "cluster.options", dict(config.options), "must have 'memory', of one job"
        )
    _check_memory(options["memory"])
    processes = _count("processes", options.pop("processes", 1))
    cores = _count("cores", options.pop("cores", processes))
    exports = [f"export {name}={shlex.quote(text)}" for name, text in as_environment().items()]
    extra = list(options.pop("worker_extra_args", None) or ())
    if config.memory_limit != "auto":
        extra += ["--memory-limit", str(config.memory_limit or 0)]
    if config.gpus_per_trial:
        extra += ["--resources", f"{GPU}={config.gpus_per_trial:g}"]
    return {
        "job_cpu": cores,
        **options,
        "processes": processes,
        "cores": processes,  # dask-jobqueue's are threads
        "worker_extra_args": extra,
        "job_script_prologue": [*exports, *(options.get("job_script_prologue") or ())],
        # Any free port; no dashboard, whose import takes a second.
        "scheduler_options": {
            "dashboard": False,
            "dashboard_address": ":0",
            **(options.get("scheduler_options") or {}),
        },
    }


def _count(option: str, value: object) -> int:
    with of_cluster():
        return whole_number(f"cluster.options[{option!r}]", value, least=1, most=_MOST_CORES)


def _check_memory(memory: Any) -> None:
    try:
        is_size = not isinstance(memory, bool) and parse_bytes(memory) > 0
    except (ValueError, TypeError, AttributeError, OverflowError):
        is_size = False
    if not is_size:
        raise InvalidClusterError(
            "cluster.options['memory']", memory, "must be the memory of a job, like '32GiB'"
        )


@contextmanager
def started(config: ClusterConfig, workers: int) -> Iterator[tuple[Any, list[BaseException]]]:
    """Submit the jobs, and cancel them at the end.

    Jobs that Slurm ends before they are cancelled (a node that fails, a time limit) are submitted
    again.

    Args:
        config: A cluster of kind "slurm".
        workers: How many workers.

    Yields:
        The cluster, and what went wrong when jobs were submitted.

    Raises:
        InvalidClusterError: As :func:`check`.
    """
    check(config)
    kind = _cluster_class()
    refused: list[BaseException] = []

    class Job(kind.job_cls):  # type: ignore[misc,name-defined]
        async def start(self) -> None:
            try:
                await super().start()
            except Exception as error:
                refused.append(error)
                self.status = distributed.Status.failed  # or the cluster would not close
                raise

    cluster = kind(job_cls=Job, **arguments(config))
    look = PeriodicCallback(lambda: _replace_lost(cluster), LOOK_SECONDS * 1000)
    try:
        cluster.scale(workers)
        cluster.loop.add_callback(look.start)
        yield cluster, refused
    finally:
        cluster.loop.add_callback(look.stop)
        with suppress(TimeoutError):
            cluster.close(timeout=CLOSE_SECONDS)


async def _replace_lost(cluster: Any) -> None:
    """Submit anew the jobs that Slurm does not know any more.

    Dask notices a worker that leaves, but neither that its job is gone, nor a job that ended before
    its worker came.
    """
    jobs = dict(cluster.workers)  # those that are submitted while Slurm is asked are not known
    known = await _known_jobs()
    if known is None:
        return
    names = [str(worker["name"]) for worker in cluster.scheduler_info["workers"].values()]
    for name, job in jobs.items():
        here = any(worker == str(name) or worker.startswith(f"{name}-") for worker in names)
        if cluster.workers.get(name) is job and job.job_id not in known and not here:
            _logger.warning("Slurm has ended job %s of worker %s; another one", job.job_id, name)
            cluster.workers.pop(name, None)
    cluster.scale(jobs=len(cluster.worker_spec))


async def _known_jobs() -> set[str] | None:
    """Identifiers of this user's jobs, or None where Slurm does not say."""
    process = await asyncio.create_subprocess_exec(
        "squeue", "--noheader", "--format=%A", f"--user={getpass.getuser()}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    output, _ = await process.communicate()
    return set(output.decode().split()) if process.returncode == 0 else None


def _cluster_class() -> Any:
    return cluster_class("slurm", "dask_jobqueue.slurm", "SLURMCluster", extra="slurm")
