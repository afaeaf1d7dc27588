"""Search spaces and optimizers, which are asked and told: one algorithm per file.

Pure: no I/O, no clock, no Prefect, no Dask.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hopsml_flows.search.base import BaseSearch, Evaluation, GaveUp, Optimizer, Proposal
from hopsml_flows.search.decisions import Decision, GoOn, Pause, Stop, Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.enumeration import GridSearch, ListSearch, value_lists, zipped
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace

if TYPE_CHECKING:
    from hopsml_flows.search.asha import Asha
    from hopsml_flows.search.evolution.asynchronous import AsynchronousEvolution
    from hopsml_flows.search.evolution.differential_evolution import DifferentialEvolution
    from hopsml_flows.search.evolution.strategies import Strategy, Updating
    from hopsml_flows.search.optuna_samplers import OptunaSearch
    from hopsml_flows.search.random import RandomSearch
    from hopsml_flows.search.registry import OPTIMIZERS, make_search

__all__ = [
    "OPTIMIZERS",
    "Asha",
    "AsynchronousEvolution",
    "BaseSearch",
    "Categorical",
    "Decision",
    "DifferentialEvolution",
    "Direction",
    "Domain",
    "Evaluation",
    "Float",
    "GaveUp",
    "GoOn",
    "GridSearch",
    "Int",
    "ListSearch",
    "Optimizer",
    "OptunaSearch",
    "Pause",
    "Proposal",
    "RandomSearch",
    "SearchSpace",
    "Stop",
    "Strategy",
    "Updating",
    "Why",
    "make_search",
    "value_lists",
    "zipped",
]

# They import numpy, which workers and training processes need not have.
_WITH_NUMPY = {
    "OPTIMIZERS": "registry",
    "Asha": "asha",
    "AsynchronousEvolution": "evolution.asynchronous",
    "DifferentialEvolution": "evolution.differential_evolution",
    "OptunaSearch": "optuna_samplers",
    "RandomSearch": "random",
    "Strategy": "evolution.strategies",
    "Updating": "evolution.strategies",
    "make_search": "registry",
}


def __getattr__(name: str) -> object:
    if name not in _WITH_NUMPY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WITH_NUMPY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
