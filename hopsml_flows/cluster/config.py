"""The configuration of a cluster, as data. Nothing is started or contacted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from typing import Annotated, Any

import yaml

from hopsml_flows.cluster import config_fields
from hopsml_flows.cluster.config_fields import HERE, KINDS, Field
from hopsml_flows.errors import InvalidClusterError

__all__ = ["ClusterConfig", "GroupSize"]

_SUFFIXES = (".yaml", ".yml")
_SECONDS = {"type": "number", "exclusiveMinimum": 0}


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A Dask cluster to run trials on.

    Raises:
        InvalidClusterError: A field is wrong; the message names it.

    Example:
        >>> ClusterConfig(kind="local", n_workers=2).as_dict()
        {'kind': 'local', 'n_workers': 2}
        >>> ClusterConfig.parse("tcp://scheduler:8786").kind
        'address'
    """

    kind: Annotated[
        str,
        Field(
            config_fields.check_kind,
            {"type": "string", "enum": list(KINDS), "default": "auto"},
            '"auto" takes one worker process per GPU where NVML finds GPUs, and one per CPU core '
            'of this machine otherwise; "local" (CPU cores) and "cuda" (GPUs) say which. "address" '
            'uses a running scheduler. "slurm" submits jobs and "kubernetes" creates pods, one '
            'worker each. "debug" runs trials in the process that calls the verb, for a debugger.',
        ),
    ] = "auto"
    address: Annotated[
        str | None,
        Field(
            config_fields.check_address,
            {"type": "string"},
            'The scheduler\'s address, such as tcp://host:8786; implies kind "address".',
        ),
    ] = None
    n_workers: Annotated[
        int | None,
        Field(
            config_fields.check_workers,
            {"type": "integer", "minimum": 1},
            "Most worker processes, one thread each. The default is one per core or GPU. There are "
            'never more workers than the trials have processes. "slurm" and "kubernetes" have no '
            "default.",
        ),
    ] = None
    memory_limit: Annotated[
        str | float | None,
        Field(
            config_fields.check_memory,
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "Most memory that a worker and its training process may hold together, as Dask writes "
            'it: 4GiB, 0.5 of the machine\'s, "auto" for an equal share of it, or None for no '
            "limit; at least 320 MiB. Above 95% of it the training process is ended, which costs "
            "its trial an attempt. Above 80% between two trials it is replaced.",
        ),
    ] = "auto"
    idle_timeout: Annotated[
        float | None,
        Field(
            config_fields.check_idle_timeout,
            {"anyOf": [_SECONDS, {"type": "null"}]},
            'Seconds after which an idle worker is given back; None keeps all. With "kubernetes" '
            'the operator decides after how long. No effect with "address" and "debug", and for '
            "trials of several processes.",
        ),
    ] = 60.0
    start_timeout: Annotated[
        float,
        Field(
            config_fields.check_start_timeout,
            _SECONDS,
            'Seconds that workers get to start. For "slurm" and "kubernetes" only those that one '
            "trial needs count; they may have to wait in a queue. No effect with "
            '"address" and "debug".',
        ),
    ] = 60.0
    gpus_per_trial: Annotated[
        float | None,
        Field(
            config_fields.check_gpus,
            {"type": "number", "minimum": 0},
            "GPUs a trial gets: 1 (default where workers have GPUs), 0 for trials on the CPU, 0.5 "
            "to put two on one GPU (each in a process of its own). On a running scheduler a number "
            'asks for so much of the workers\' Dask resource "GPU"; the default asks for nothing. '
            'Workers of "slurm" and "kubernetes" have as much of it as a trial asks for; their '
            "options say how they get the GPUs themselves.",
        ),
    ] = None
    options: Annotated[
        dict[str, Any],
        Field(
            config_fields.check_options,
            {"type": "object"},
            "Further arguments of the Dask cluster class. Names and values that it does not take "
            "are refused before anything is started.",
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.address is not None and self.kind == "auto":
            object.__setattr__(self, "kind", "address")
        for name, declared in config_fields.declared_fields(ClusterConfig).items():
            object.__setattr__(self, name, declared.judge(getattr(self, name), self.kind))

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be on other machines, which lack this one's files and modules."""
        return self.kind not in HERE

    def as_dict(self) -> dict[str, Any]:
        """The fields that differ from their defaults, for :meth:`parse`."""
        default, found = ClusterConfig(), {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != getattr(default, entry.name):
                found[entry.name] = value
        return found

    @classmethod
    def from_yaml(cls, path: str | PathLike[str]) -> ClusterConfig:
        """Read a config from a YAML file of its fields.

        Args:
            path: The file; a relative path starts at the working directory.

        Raises:
            InvalidClusterError: The file cannot be read, or holds something else.
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
        """Make a config of what callers pass as ``cluster``.

        Args:
            value: A config, "auto", "local", "cuda", "debug", a scheduler's address, the path of a
                YAML file, or a dict of the config's fields.

        Raises:
            InvalidClusterError: It is none of these.
        """
        if isinstance(value, ClusterConfig):
            return value
        if isinstance(value, str):
            if "://" in value:
                return cls(address=value)
            if value in HERE:
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
            "must be 'auto', 'local', 'cuda', 'debug', an address like tcp://host:8786, the path "
            "of a YAML file, or a ClusterConfig",
        )


config_fields.document(ClusterConfig)


@dataclass(frozen=True, slots=True)
class GroupSize:
    """The size of the process group of one distributed trial.

    Args:
        processes: Its processes; each takes a worker.
        computing: Those of them that can use GPUs.
        use_gpus: Whether these may have GPUs.
    """

    processes: int
    computing: int
    use_gpus: bool
