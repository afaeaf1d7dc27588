"""Search spaces and optimizers, which are asked and told: one algorithm per file.

Pure: no I/O, no clock, no Prefect, no Dask.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hopsml_flows.search.base import BaseSearch, Evaluation, GaveUp, Optimizer, Proposal
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.enumeration import GridSearch, ListSearch, value_lists, zipped
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace

if TYPE_CHECKING:
    from hopsml_flows.search.evolution.differential_evolution import DifferentialEvolution
    from hopsml_flows.search.evolution.strategies import Strategy, Updating
    from hopsml_flows.search.random import RandomSearch

__all__ = [
    "BaseSearch",
    "Categorical",
    "DifferentialEvolution",
    "Direction",
    "Domain",
    "Evaluation",
    "Float",
    "GaveUp",
    "GridSearch",
    "Int",
    "ListSearch",
    "Optimizer",
    "Proposal",
    "RandomSearch",
    "SearchSpace",
    "Strategy",
    "Updating",
    "value_lists",
    "zipped",
]

# They import numpy, which workers and training processes need not have.
_WITH_NUMPY = {
    "DifferentialEvolution": "evolution.differential_evolution",
    "RandomSearch": "random",
    "Strategy": "evolution.strategies",
    "Updating": "evolution.strategies",
}


def __getattr__(name: str) -> object:
    if name not in _WITH_NUMPY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WITH_NUMPY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
