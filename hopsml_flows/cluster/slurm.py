"""Starts workers as Slurm jobs, by dask-jobqueue: one worker per job, or a few.

Dask's scheduler runs in this process. Its machine must be able to submit jobs, and compute nodes
must reach it.
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
from hopsml_flows.cluster.config_fields import cluster_errors
from hopsml_flows.cluster.dask_settings import GPU, as_environment
from hopsml_flows.cluster.extras import cluster_class
from hopsml_flows.errors import InvalidClusterError
from hopsml_flows.values.arguments import whole_number

if TYPE_CHECKING:
    from hopsml_flows.cluster.config import ClusterConfig

__all__ = ["arguments", "check", "start"]

LOOK_SECONDS = 15.0
"""Time between two checks for jobs that Slurm has ended."""

CLOSE_SECONDS = 30
"""Longest wait for the jobs to be cancelled."""

_MOST_CORES = 100_000
"""Most cores, or workers, of one job; a larger number is a typing error."""

_COMMANDS = ("sbatch", "scancel", "squeue")

_logger = logging.getLogger(__name__)


def check(config: ClusterConfig) -> None:
    """Check that jobs can be submitted from here.

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
        config: A cluster of kind "slurm". Its option ``cores`` is the number of CPUs per job, and
            ``processes`` the number of workers per job, each with one thread. The other options
            are dask-jobqueue's.

    Raises:
        InvalidClusterError: The memory of a job is missing, or an option is wrong.
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
        "cores": processes,  # to dask-jobqueue these are threads
        "worker_extra_args": extra,
        "job_script_prologue": [*exports, *(options.get("job_script_prologue") or ())],
        # Any free port, and no dashboard: its import takes a second.
        "scheduler_options": {
            "dashboard": False,
            "dashboard_address": ":0",
            **(options.get("scheduler_options") or {}),
        },
    }


def _count(option: str, value: object) -> int:
    with cluster_errors():
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
def start(config: ClusterConfig, workers: int) -> Iterator[tuple[Any, list[BaseException]]]:
    """Submit the jobs for the block, and cancel them at its end.

    A job that Slurm ends earlier (its node failed, its time was up) is submitted again.

    Args:
        config: A cluster of kind "slurm".
        workers: Number of workers.

    Yields:
        The cluster, and a list that receives the errors of jobs that could not be submitted.

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
                self.status = distributed.Status.failed  # without this the cluster would not close
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
    """Submit jobs again that Slurm no longer knows.

    Dask notices a worker that leaves. It does not notice that its job is gone, or that a job ended
    before its worker came.
    """
    jobs = dict(cluster.workers)  # before asking: Slurm's answer may lack jobs submitted later
    known = await _known_jobs()
    if known is None:
        return
    names = [str(worker["name"]) for worker in cluster.scheduler_info["workers"].values()]
    for name, job in jobs.items():
        here = any(worker == str(name) or worker.startswith(f"{name}-") for worker in names)
        if cluster.workers.get(name) is job and job.job_id not in known and not here:
            _logger.warning(
                "Slurm has ended job %s of worker %s; it is submitted again", job.job_id, name
            )
            cluster.workers.pop(name, None)
    cluster.scale(jobs=len(cluster.worker_spec))


async def _known_jobs() -> set[str] | None:
    """Identifiers of this user's jobs, or None if Slurm does not answer."""
    process = await asyncio.create_subprocess_exec(
        "squeue", "--noheader", "--format=%A", f"--user={getpass.getuser()}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    output, _ = await process.communicate()
    return set(output.decode().split()) if process.returncode == 0 else None


def _cluster_class() -> Any:
    return cluster_class("slurm", "dask_jobqueue.slurm", "SLURMCluster", extra="slurm")
