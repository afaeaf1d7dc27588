"""Names of a verb's arguments: an unknown one is an error that says which one may be meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from hopsml_flows.errors import UnknownArgumentError

__all__ = ["check_known", "meant"]

_SPACE = ("boundary_dict", "grid_dict", "args_dict")
_KEY = ("optimization_key", "metric_key")
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    # Maggy's
    "searchspace": _SPACE,
    "num_trials": ("samples",),
    "optimization_metric": _KEY,
    "hparams": _SPACE,
    # HopsML's
    "args_dict": _SPACE,
    "grid_dict": _SPACE,
    "boundary_dict": _SPACE,
    "optimization_key": _KEY,
    "metric_key": _KEY,
    "num_executors": ("cluster",),
    # of other libraries
    "search_space": _SPACE,
    "space": _SPACE,
    "param_grid": _SPACE,
    "param_distributions": _SPACE,
    "bounds": _SPACE,
    "config": _SPACE,
    "num_samples": ("samples",),
    "n_trials": ("samples",),
    "n_iter": ("samples",),
    "max_evals": ("samples",),
    "maxiter": ("generations",),
    "iterations": ("generations",),
    "pop_size": ("population",),
    "metric": _KEY,
    "key": _KEY,
    "mode": ("direction",),
    "random_state": ("seed",),
    "random_seed": ("seed",),
    "n_jobs": ("cluster",),
    "n_workers": ("num_workers", "cluster"),
    "workers": ("num_workers", "cluster"),
    "max_retries": ("retries",),
    "timeout": ("trial_timeout",),
    "verbose": ("progress",),
    "function": ("train",),
    "fn": ("train",),
    "objective": ("train",),
}
"""What other versions and libraries call an argument, and the names it may have here."""


def check_known(verb: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Check that a verb has the arguments that it was called with.

    Args:
        verb: Name of the verb.
        given: The arguments by name.
        known: Names of the verb's arguments.

    Raises:
        UnknownArgumentError: It has no argument of one of the names.
    """
    call = f"experiment.{verb}"
    for name, value in given.items():
        if name not in known:
            other = meant(name, known)
            hint = "" if other is None else f"; did you mean {other}?"
            raise UnknownArgumentError(name, value, because=f"{call} has no such argument{hint}")


def meant(name: str, known: Collection[str]) -> str | None:
    """Return the argument that an unknown name may stand for, or None.

    Args:
        name: The name.
        known: Names of arguments.
    """
    lower = name.lower()
    others = [other for other in _OTHER_NAMES.get(lower, ()) if other in known]
    if others:
        return others[0]
    return next(iter(get_close_matches(lower, known, n=1)), None)
