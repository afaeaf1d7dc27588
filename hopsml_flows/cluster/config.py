"""Which cluster an experiment runs on, as data. Pure: nothing is started or contacted here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hopsml_flows.errors import InvalidClusterError

__all__ = ["KINDS", "ClusterConfig"]

KINDS = ("auto", "local", "cuda", "address")
"""Kinds of cluster: chosen by what the machine has, CPU processes, one process a GPU, running."""

_ADDRESS = re.compile(
    r"^(tcp|tls|ucx|ucxx|ws|wss)://[^\s/:]+:\d+$|^(tcp|tls)://\[[0-9a-fA-F:]+\]:\d+$"
)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A Dask cluster to run trials on.

    Args:
        kind: "auto" takes one worker process a GPU where NVML finds GPUs, and one a CPU core
            otherwise; "local" and "cuda" say which; "address" uses a running scheduler.
        address: The scheduler's address, such as ``tcp://host:8786``; implies kind "address".
        n_workers: Worker processes, one thread each; default one a core or a GPU, and never more
            than there are trials.
        memory_limit: A worker's memory, as Dask writes it ("4GiB", "auto", or None for no limit).
        idle_timeout: Seconds after which an idle worker is given back; None keeps all.
        start_timeout: Seconds that workers get to start.
        gpus_per_trial: GPUs a trial gets: 1 (default where workers have GPUs), 0 for trials on the
            CPU, 0.5 to put two on one GPU (each in a process of its own). On a running scheduler a
            number asks for so much of the workers' Dask resource "GPU"; the default asks nothing.
        options: Further keyword arguments of the Dask cluster class.

    Raises:
        InvalidClusterError: A field is wrong; the message names it.
    """

    kind: str = "auto"
    address: str | None = None
    n_workers: int | None = None
    memory_limit: str | None = "auto"
    idle_timeout: float | None = 60.0
    start_timeout: float = 60.0
    gpus_per_trial: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.address is not None:
            object.__setattr__(self, "kind", "address")
            if not isinstance(self.address, str) or not _ADDRESS.match(self.address):
                raise InvalidClusterError("cluster", self.address, "must be like tcp://host:8786")
        if self.kind not in KINDS:
            raise InvalidClusterError("cluster", self.kind, f"kind must be one of {list(KINDS)}")
        if self.kind == "address" and self.address is None:
            raise InvalidClusterError("cluster", None, "kind 'address' needs an address")
        if self.n_workers is not None and (
            isinstance(self.n_workers, bool)
            or not isinstance(self.n_workers, int)
            or self.n_workers < 1
        ):
            raise InvalidClusterError(
                "cluster.n_workers", self.n_workers, "must be an integer of at least 1"
            )
        for name in ("idle_timeout", "start_timeout"):
            seconds = getattr(self, name)
            if seconds is None and name == "idle_timeout":
                continue
            if (
                isinstance(seconds, bool)
                or not isinstance(seconds, (int, float))
                or not math.isfinite(seconds)
                or seconds <= 0
            ):
                raise InvalidClusterError(
                    f"cluster.{name}", seconds, "must be a positive number of seconds"
                )
        self._check_gpus()
        if not isinstance(self.options, Mapping):
            raise InvalidClusterError("cluster.options", self.options, "must be a dict")

    def _check_gpus(self) -> None:
        share = self.gpus_per_trial
        if share is None:
            return
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1e6:
            raise InvalidClusterError("cluster.gpus_per_trial", share, "must be a number from 0")
        if self.kind == "cuda" and share == 0:
            raise InvalidClusterError(
                "cluster.gpus_per_trial", share, "must be above 0 on a cluster of kind 'cuda'"
            )
        # A worker has one GPU; only a scheduler started by somebody else may have more a worker.
        if (
            self.kind != "address"
            and share not in (0, 1)
            and abs(1 / share - round(1 / share)) > 0.01
        ):
            raise InvalidClusterError(
                "cluster.gpus_per_trial", share, "must be 0, 1, or 1 divided by a whole number"
            )

    @classmethod
    def parse(cls, value: object) -> ClusterConfig:
        """Read what callers pass as ``cluster``.

        Args:
            value: A config, "auto", "local", "cuda", a scheduler's address, or a dict of the
                config's fields.

        Raises:
            InvalidClusterError: It is none of these.
        """
        if isinstance(value, ClusterConfig):
            return value
        if isinstance(value, str):
            if "://" in value:
                return cls(address=value)
            if value in KINDS and value != "address":
                return cls(kind=value)
        if isinstance(value, Mapping):
            known = {entry.name for entry in fields(cls)}
            unknown = sorted(map(str, set(value) - known))
            if unknown:
                raise InvalidClusterError(
                    "cluster", unknown, f"fields must be among {sorted(known)}"
                )
            return cls(**value)
        raise InvalidClusterError(
            "cluster",
            value,
            "must be 'auto', 'local', 'cuda', an address like tcp://host:8786, or a ClusterConfig",
        )
