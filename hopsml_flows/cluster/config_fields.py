"""Declarations of ClusterConfig's fields: their judges, form inputs and descriptions.

A judge takes a value and the kind of the cluster. It returns the value to use, or raises
:class:`InvalidClusterError`. Nothing is started or contacted here.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError
from hopsml_flows.text import argument_entry
from hopsml_flows.values.arguments import seconds, whole_number
from hopsml_flows.values.plain import plain

__all__ = [
    "DEBUG",
    "HERE",
    "KINDS",
    "LEAST_MEMORY",
    "Field",
    "check_address",
    "check_gpus",
    "check_idle_timeout",
    "check_kind",
    "check_memory",
    "check_options",
    "check_start_timeout",
    "check_workers",
    "cluster_errors",
    "declared_fields",
    "document",
]

DEBUG = "debug"
"""The kind whose trials run in the driver's own process, for a debugger."""

KINDS = ("auto", "local", "cuda", "address", "slurm", "kubernetes", DEBUG)
"""Kinds of cluster: chosen by this machine's devices, one process per CPU core, one per GPU, a
running scheduler, Slurm jobs, Kubernetes pods, the driver's own process."""

HERE = ("auto", "local", "cuda", DEBUG)
"""Kinds whose trials run on this machine."""

_SIZED = ("slurm", "kubernetes")
"""Kinds that need ``n_workers``."""

LEAST_MEMORY = 320 << 20
"""Bytes that a worker and its training process need before any training."""

MOST_WORKERS = 100_000
"""Most workers; a larger number is a typing error, as each worker is a process."""

LEAST_SHARE = 0.001
MOST_GPUS = 1000.0
"""Least and most GPUs of a trial that has any."""

_ADDRESS = re.compile(
    r"^(tcp|tls|ucx|ucxx|ws|wss)://[^\s/:]+:(\d+)$|^(tcp|tls)://\[[0-9a-fA-F:]+\]:(\d+)$"
)


@dataclass(frozen=True, slots=True)
class Field:
    """The declaration of a field, besides its type.

    Args:
        judge: Takes the value and the cluster's kind. It returns the value to use, or raises.
        form: The JSON schema of its input in run forms.
        words: Its description, for the docstring, the run form and the documentation.
    """

    judge: Callable[[Any, str], Any]
    form: Mapping[str, Any]
    words: str


@functools.cache
def declared_fields(config: Any) -> dict[str, Field]:
    """The declarations of a config's fields, by name.

    Args:
        config: A dataclass whose fields are ``Annotated`` with a :class:`Field`.
    """
    hints = get_type_hints(config, include_extras=True)
    found: dict[str, Field] = {}
    for entry in fields(config):
        extras = get_args(hints[entry.name])
        (found[entry.name],) = (extra for extra in extras if isinstance(extra, Field))
    return found


def document(config: type) -> None:
    """Write the ``Args:`` part of a config's docstring, and a signature without declarations."""
    summary, _, rest = inspect.cleandoc(config.__doc__ or "").partition("\n\n")
    entries = [argument_entry(name, field.words) for name, field in declared_fields(config).items()]
    config.__doc__ = "\n".join([summary, "", "Args:", *entries, "", rest])
    types, usual = get_type_hints(config), config()
    shown = inspect.signature(config)
    # `inspect.signature`, `help` and IPython show it.
    config.__signature__ = shown.replace(  # type: ignore[attr-defined]
        parameters=[
            parameter.replace(annotation=types[name], default=getattr(usual, name))
            for name, parameter in shown.parameters.items()
        ]
    )


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Raise argument errors of the block as :class:`InvalidClusterError`."""
    try:
        yield
    except InvalidArgumentError as error:
        raise error.renamed(error.argument, InvalidClusterError) from None


def check_kind(value: Any, _: str) -> str:
    """Judge the kind."""
    if value not in KINDS:
        raise InvalidClusterError("cluster.kind", value, f"must be one of {list(KINDS)}")
    return value  # type: ignore[no-any-return]


def check_address(value: Any, kind: str) -> str | None:
    """Judge the scheduler's address."""
    if value is None:
        if kind == "address":
            raise InvalidClusterError("cluster.address", None, "must be given for kind 'address'")
        return None
    found = _ADDRESS.match(value) if isinstance(value, str) else None
    port = int((found[2] or found[4])[:6]) if found else 0
    if not 1 <= port <= 65535:
        raise InvalidClusterError("cluster", value, "must be like tcp://host:8786")
    if kind != "address":
        raise InvalidClusterError("cluster.address", value, f"must not be given for kind {kind!r}")
    return value  # type: ignore[no-any-return]


def check_workers(value: Any, kind: str) -> int | None:
    """Judge the number of workers."""
    if value is None:
        if kind in _SIZED:
            raise InvalidClusterError(
                "cluster.n_workers", None, f"must be given for a cluster of kind {kind!r}"
            )
        return None
    with cluster_errors():
        count = whole_number("cluster.n_workers", value, least=1, most=MOST_WORKERS)
    if kind == DEBUG and count != 1:
        raise InvalidClusterError("cluster.n_workers", value, "must be 1 or None for kind 'debug'")
    return count


def check_memory(value: Any, kind: str) -> Any:
    """Judge the memory limit; 0, which is Dask's word for no limit, becomes None."""
    if value is None or value == "auto":
        return value
    if kind == DEBUG:
        raise InvalidClusterError(
            "cluster.memory_limit", value, "must be 'auto' or None for kind 'debug'"
        )
    from dask.utils import parse_bytes  # slow to import, and rarely needed

    least = f"{LEAST_MEMORY >> 20} MiB"
    expected = f"must be at least {least}, like '4GiB', or 'auto', or None for no limit"
    try:
        if isinstance(value, (bool, bytes)):
            raise TypeError
        share = _share(value)
        size = _machine_memory() * share if share else parse_bytes(value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidClusterError("cluster.memory_limit", value, expected) from error
    if size == 0:
        return None
    if size < LEAST_MEMORY:
        raise InvalidClusterError("cluster.memory_limit", value, expected)
    return value


def check_idle_timeout(value: Any, _: str) -> float | None:
    """Judge how long an idle worker is kept."""
    if value is None:
        return None
    with cluster_errors():
        return seconds("cluster.idle_timeout", value)


def check_start_timeout(value: Any, _: str) -> float:
    """Judge how long workers get to start."""
    with cluster_errors():
        return seconds("cluster.start_timeout", value)


def check_gpus(value: Any, kind: str) -> float | None:
    """Judge the number of GPUs per trial."""
    if value is None:
        return None
    if kind == DEBUG:
        raise InvalidClusterError("cluster.gpus_per_trial", value, "must be None for kind 'debug'")
    share: Any = plain(value)
    is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not is_number or not (share == 0 or LEAST_SHARE <= share <= MOST_GPUS):
        raise InvalidClusterError(
            "cluster.gpus_per_trial",
            share,
            f"must be 0, or a number from {LEAST_SHARE:g} to {MOST_GPUS:g}",
        )
    if kind == "cuda" and share == 0:
        raise InvalidClusterError(
            "cluster.gpus_per_trial", share, "must be above 0 on a cluster of kind 'cuda'"
        )
    # A worker of this machine has one GPU; workers of other machines may have more.
    if kind in HERE and share not in (0, 1) and abs(1 / share - round(1 / share)) > 0.01:
        raise InvalidClusterError(
            "cluster.gpus_per_trial", share, "must be 0, 1, or 1 divided by a whole number"
        )
    return share  # type: ignore[no-any-return]


def check_options(value: Any, kind: str) -> Any:
    """Judge that options are a dict with names; the kind's own module judges the entries."""
    if not isinstance(value, Mapping):
        raise InvalidClusterError("cluster.options", value, "must be a dict")
    if not all(isinstance(name, str) for name in value):
        raise InvalidClusterError("cluster.options", value, "must be a dict with names")
    if value and kind == "address":
        raise InvalidClusterError(
            "cluster.options", value, "must be empty for a running scheduler (kind 'address')"
        )
    if value and kind == DEBUG:
        raise InvalidClusterError("cluster.options", value, "must be empty for kind 'debug'")
    return value


def _share(limit: Any) -> float | None:
    """A limit as a share of the machine's memory, by Dask's rules; None if it is a size."""
    try:
        number = float(limit)
    except (ValueError, TypeError):
        return None
    return number if 0 < number <= 1 else None


def _machine_memory() -> int:
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)
