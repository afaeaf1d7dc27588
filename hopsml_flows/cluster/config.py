"""Which cluster an experiment runs on, as data. Nothing is started or contacted here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from typing import Any

import yaml

from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError
from hopsml_flows.values.arguments import is_number, seconds, whole_number
from hopsml_flows.values.plain import plain

__all__ = ["KINDS", "LEAST_MEMORY", "ClusterConfig", "GroupSize", "of_cluster"]

KINDS = ("auto", "local", "cuda", "address", "slurm", "kubernetes")
"""Kinds of cluster: chosen by what the machine has, CPU processes, one process a GPU, running,
jobs of Slurm, pods of Kubernetes."""

_HERE = ("auto", "local", "cuda")
"""Kinds whose workers are processes of this machine."""

_SIZED = ("slurm", "kubernetes")
"""Kinds whose size nothing but the user can say."""

LEAST_MEMORY = 320 << 20
"""Bytes that a worker and the process that trains for it need before any training."""

_SUFFIXES = (".yaml", ".yml")

MOST_WORKERS = 100_000
"""So many are no slip of the finger; each is a process."""

LEAST_SHARE = 0.001
MOST_GPUS = 1000.0
"""GPUs of a trial, at least and at most."""

_ADDRESS = re.compile(
    r"^(tcp|tls|ucx|ucxx|ws|wss)://[^\s/:]+:(\d+)$|^(tcp|tls)://\[[0-9a-fA-F:]+\]:(\d+)$"
)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A Dask cluster to run trials on.

    Args:
        kind: "auto" takes one worker process a GPU where NVML finds GPUs, and one a CPU core
            otherwise; "local" and "cuda" say which; "address" uses a running scheduler; "slurm"
            submits jobs and "kubernetes" creates pods, one worker each.
        address: The scheduler's address, such as ``tcp://host:8786``; implies kind "address".
        n_workers: Worker processes, one thread each; default one a core or a GPU, and never more
            than there are trials. "slurm" and "kubernetes" have no default.
        memory_limit: Memory of a worker and of the process that trains for it, as Dask writes it
            ("4GiB", 0.5 of the machine's, "auto" for an equal share of it, or None for no limit);
            at least 320 MiB. A process that holds more than 95% with its worker is ended, which
            costs its trial an attempt; one that holds more than 80% between two trials is replaced.
        idle_timeout: Seconds after which an idle worker is given back; None keeps all.
        start_timeout: Seconds that workers get to start; for "slurm" and "kubernetes" the first
            one, which may have to wait in a queue.
        gpus_per_trial: GPUs a trial gets: 1 (default where workers have GPUs), 0 for trials on the
            CPU, 0.5 to put two on one GPU (each in a process of its own). On a running scheduler a
            number asks for so much of the workers' Dask resource "GPU"; the default asks nothing.
            Workers of "slurm" and "kubernetes" have as much of it as a trial asks for; that they
            get the GPUs themselves is said in their options.
        options: Further keyword arguments of the Dask cluster class; names and values that it does
            not take are refused before anything is made.

    Raises:
        InvalidClusterError: A field is wrong; the message names it.
    """

    kind: str = "auto"
    address: str | None = None
    n_workers: int | None = None
    memory_limit: str | float | None = "auto"
    idle_timeout: float | None = 60.0
    start_timeout: float = 60.0
    gpus_per_trial: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_kind()
        self._check_size()
        for name in ("idle_timeout", "start_timeout"):
            given = getattr(self, name)
            if given is None and name == "idle_timeout":
                continue
            with of_cluster():
                object.__setattr__(self, name, seconds(f"cluster.{name}", given))
        self._check_memory()
        self._check_gpus()
        self._check_options()

    def _check_options(self) -> None:
        options: Any = self.options
        if not isinstance(options, Mapping):
            raise InvalidClusterError("cluster.options", options, "must be a dict")
        if not all(isinstance(name, str) for name in options):
            raise InvalidClusterError("cluster.options", options, "must be a dict with names")
        if options and self.kind == "address":
            raise InvalidClusterError(
                "cluster.options", options, "must be empty for a cluster that runs already"
            )

    def _check_kind(self) -> None:
        if self.kind not in KINDS:
            raise InvalidClusterError("cluster.kind", self.kind, f"must be one of {list(KINDS)}")
        if self.address is None:
            if self.kind == "address":
                raise InvalidClusterError(
                    "cluster.address", None, "must be given for kind 'address'"
                )
            return
        found = _ADDRESS.match(self.address) if isinstance(self.address, str) else None
        port = int((found[2] or found[4])[:6]) if found else 0
        if not 1 <= port <= 65535:
            raise InvalidClusterError("cluster", self.address, "must be like tcp://host:8786")
        if self.kind not in ("auto", "address"):
            raise InvalidClusterError(
                "cluster.address", self.address, f"must not be given for kind {self.kind!r}"
            )
        object.__setattr__(self, "kind", "address")

    def _check_size(self) -> None:
        workers = self.n_workers
        if workers is None and self.kind in _SIZED:
            raise InvalidClusterError(
                "cluster.n_workers", None, f"must be given for a cluster of kind {self.kind!r}"
            )
        if workers is not None:
            with of_cluster():
                count = whole_number("cluster.n_workers", workers, least=1, most=MOST_WORKERS)
            object.__setattr__(self, "n_workers", count)

    def _check_memory(self) -> None:
        limit: Any = self.memory_limit
        if limit is None or limit == "auto":
            return
        from dask.utils import parse_bytes  # takes a moment, which the usual case need not wait for

        least = f"{LEAST_MEMORY >> 20} MiB"
        expected = f"must be at least {least}, like '4GiB', or 'auto', or None for no limit"
        try:
            if isinstance(limit, (bool, bytes)):
                raise TypeError
            share = _share(limit)
            size = _machine_memory() * share if share else parse_bytes(limit)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidClusterError("cluster.memory_limit", limit, expected) from error
        if size == 0:  # as Dask writes that there is none
            object.__setattr__(self, "memory_limit", None)
        elif size < LEAST_MEMORY:
            raise InvalidClusterError("cluster.memory_limit", limit, expected)

    def _check_gpus(self) -> None:
        if self.gpus_per_trial is None:
            return
        share: Any = plain(self.gpus_per_trial)
        if not is_number(share) or not (share == 0 or LEAST_SHARE <= share <= MOST_GPUS):
            raise InvalidClusterError(
                "cluster.gpus_per_trial",
                share,
                f"must be 0, or a number from {LEAST_SHARE:g} to {MOST_GPUS:g}",
            )
        object.__setattr__(self, "gpus_per_trial", share)
        if self.kind == "cuda" and share == 0:
            raise InvalidClusterError(
                "cluster.gpus_per_trial", share, "must be above 0 on a cluster of kind 'cuda'"
            )
        # A worker has one GPU; workers elsewhere may have more.
        if not self.elsewhere and share not in (0, 1) and abs(1 / share - round(1 / share)) > 0.01:
            raise InvalidClusterError(
                "cluster.gpus_per_trial", share, "must be 0, 1, or 1 divided by a whole number"
            )

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be on other machines, without this one's files and modules."""
        return self.kind not in _HERE

    def as_dict(self) -> dict[str, Any]:
        """The fields that are not as by default, which :meth:`parse` reads."""
        default, found = ClusterConfig(), {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != getattr(default, entry.name):
                found[entry.name] = value
        return found

    @classmethod
    def from_yaml(cls, path: str | PathLike[str]) -> ClusterConfig:
        """Read a cluster's definition: a YAML file of the config's fields.

        Args:
            path: The file; a relative path starts at the working directory.

        Raises:
            InvalidClusterError: There is no such file, or it holds something else.
        """
        try:
            with open(path, encoding="utf-8") as file:
                held = yaml.safe_load(file)
        except OSError as error:
            raise InvalidClusterError(
                "cluster", fspath(path), f"must be a file that can be read ({error.strerror})"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InvalidClusterError(
                "cluster", fspath(path), f"must be a YAML file ({error})"
            ) from error
        if not isinstance(held, Mapping):
            raise InvalidClusterError(
                "cluster", fspath(path), "must be a YAML file of a ClusterConfig's fields"
            )
        return cls.parse(held)

    @classmethod
    def parse(cls, value: object) -> ClusterConfig:
        """Read what callers pass as ``cluster``.

        Args:
            value: A config, "auto", "local", "cuda", a scheduler's address, the path of a YAML
                file, or a dict of the config's fields.

        Raises:
            InvalidClusterError: It is none of these.
        """
        if isinstance(value, ClusterConfig):
            return value
        if isinstance(value, str):
            if "://" in value:
                return cls(address=value)
            if value in _HERE:
                return cls(kind=value)
            if value.endswith(_SUFFIXES):
                return cls.from_yaml(value)
        if isinstance(value, PathLike):
            return cls.from_yaml(value)
        if isinstance(value, Mapping):
            known = {entry.name for entry in fields(cls)}
            unknown = sorted(map(str, set(value) - known))
            if unknown:
                raise InvalidClusterError(
                    "cluster", unknown, f"must have only the fields {sorted(known)}"
                )
            return cls(**value)
        raise InvalidClusterError(
            "cluster",
            value,
            "must be 'auto', 'local', 'cuda', an address like tcp://host:8786, the path of a YAML "
            "file, or a ClusterConfig",
        )


@contextmanager
def of_cluster() -> Iterator[None]:
    """Errors of arguments in the block are errors of the cluster."""
    try:
        yield
    except InvalidArgumentError as error:
        raise error.renamed(error.argument, InvalidClusterError) from None


def _share(limit: Any) -> float | None:
    """The share of the machine's memory that a limit means, as in Dask; None where it is a size."""
    try:
        number = float(limit)
    except (ValueError, TypeError):
        return None
    return number if 0 < number <= 1 else None


def _machine_memory() -> int:
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


@dataclass(frozen=True, slots=True)
class GroupSize:
    """How many workers the processes of one distributed trial take.

    Args:
        processes: All of them.
        computing: Those that have a use for GPUs.
        use_gpus: Whether they may have them.
    """

    processes: int
    computing: int
    use_gpus: bool
