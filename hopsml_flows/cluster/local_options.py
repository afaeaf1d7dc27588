"""Checks the options of clusters on this machine, before an experiment exists.

Names are compared with the arguments of Dask's classes. The values for the scheduler are tried: it
is started in this process without workers, which takes a few hundredths of a second.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distributed
from dask.utils import parse_timedelta

from hopsml_flows.cluster.class_arguments import cause_of, check_options
from hopsml_flows.cluster.process_settings import held_level, held_search_path
from hopsml_flows.errors import InvalidClusterError
from hopsml_flows.values.arguments import is_number, is_whole

if TYPE_CHECKING:
    from hopsml_flows.cluster.config import ClusterConfig

__all__ = ["check_own"]

_CLOSE_SECONDS = 5

_OURS = {
    "n_workers": "it is the cluster's field n_workers",
    "memory_limit": "it is the cluster's field memory_limit",
    "asynchronous": "the experiment sets it",
    "loop": "the experiment sets it",
    "start": "the experiment sets it",
}
"""Arguments of Dask's classes that users cannot give, and why."""


def check_own(config: ClusterConfig, kind: type) -> None:
    """Refuse options with which no worker, nanny or scheduler of this machine could start.

    Args:
        config: A cluster of this machine.
        kind: The class of the cluster.

    Raises:
        InvalidClusterError: An option is wrong; the message names it.
    """
    options = config.options
    if not options:
        return
    for name, why in _OURS.items():
        if name in options:
            raise InvalidClusterError(f"cluster.options[{name!r}]", options[name], because=why)
    for name, (check, allowed) in _VALUES.items():
        if name in options and not check(options[name]):
            raise InvalidClusterError(f"cluster.options[{name!r}]", options[name], allowed)
    named = options.get("worker_class", distributed.Worker)
    check_options(options, kind, distributed.Nanny, named)
    _try_scheduler(options)


class _Tried(distributed.LocalCluster):
    """A cluster that may be only half made."""

    def __del__(self, *_: Any) -> None:
        """Do nothing: Dask's own method fails on a cluster that is half made."""


def _try_scheduler(options: Mapping[str, Any]) -> None:
    known = inspect.signature(distributed.LocalCluster.__init__).parameters
    tried = {name: value for name, value in options.items() if name in known}
    given = tried.get("scheduler_kwargs") or {}
    fixed = {
        "n_workers": 0,
        "worker_class": None,
        "processes": True,
        # Any free port, and no dashboard: its import takes a second.
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {**given, "dashboard": False} if isinstance(given, Mapping) else given,
        "silence_logs": False,
    }
    with held_level("distributed", logging.CRITICAL + 1), held_search_path():
        try:
            cluster = _Tried(**{"threads_per_worker": 1, **tried, **fixed})  # type: ignore[no-untyped-call]
        except Exception as error:  # Dask raises many types
            raise InvalidClusterError(
                "cluster.options",
                dict(options),
                f"must be what Dask can start with ({cause_of(error)})",
            ) from error
        with suppress(Exception):
            cluster.close(timeout=_CLOSE_SECONDS)


def _is_whole(least: int, most: int) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return is_whole(value) and least <= value <= most

    return check


def _is_of_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(text, (str, int, float))
        for name, text in value.items()
    )


def _is_of_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and is_number(amount) and 0 <= amount < float("inf")
        for name, amount in value.items()
    )


def _can_be_made(value: Any) -> bool:
    """Whether a directory can be written, or can be made.

    This is tried: permissions alone say that root may write to /proc/x, which fails.
    """
    try:
        path = Path(value).absolute()
        if "\0" in str(path):
            return False
        while not path.exists() and path != path.parent:
            path = path.parent
        os.rmdir(tempfile.mkdtemp(prefix="hopsml-", dir=path))
    except (TypeError, ValueError, OSError):  # no path, or not writable
        return False
    return True


def _is_address(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, str):
        return False
    port = value.rpartition(":")[2]
    return port.isdecimal() and int(port) <= 65535


def _is_duration(value: Any) -> bool:
    try:
        found = parse_timedelta(value)
    except (ValueError, TypeError, KeyError):  # parse_timedelta raises any of these
        return False
    return found is None or 0 <= found < float("inf")


def _is_level(value: Any) -> bool:
    if isinstance(value, str):
        return value.upper() in logging.getLevelNamesMapping()
    return value is None or isinstance(value, int)


def _can_be_loaded(value: Any) -> bool:
    """Whether a worker process would find all modules of Dask's option ``preload``."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        return names is None
    return all(isinstance(name, str) and _is_found(name) for name in names)


def _is_found(name: str) -> bool:
    # Dask takes a URL, a file, a module, or the source text of one.
    if name.startswith(("http://", "https://")) or " " in name:
        return True
    if name.endswith(".py"):
        return Path(name).is_file()
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a missing parent package, or not a module's name
        return False


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "threads_per_worker": (_is_whole(1, 1024), "must be an integer of at least 1"),
    "scheduler_port": (_is_whole(0, 65535), "must be a port, or 0 for any"),
    "processes": (lambda value: isinstance(value, bool), "must be True or False"),
    "env": (_is_of_texts, "must be a dict of environment variables"),
    "resources": (_is_of_numbers, "must be a dict of amounts from 0"),
    "local_directory": (_can_be_made, "must be a directory that can be written"),
    "worker_class": (
        lambda value: isinstance(value, type),
        "must be a class of Dask's workers or nannies",
    ),
    "dashboard_address": (_is_address, "must be an address like ':8787', or None"),
    "silence_logs": (_is_level, "must be a level of logging such as 'ERROR', or False"),
    "death_timeout": (_is_duration, "must be a time such as '60s', or None"),
    "lifetime": (_is_duration, "must be a time such as '1 hour', or None"),
    "lifetime_stagger": (_is_duration, "must be a time such as '5 minutes', or None"),
    "nthreads": (_is_whole(1, 1024), "must be an integer of at least 1"),
    "preload": (
        _can_be_loaded,
        "must be a module or Python file that this process finds, a URL, or a list of these",
    ),
}
