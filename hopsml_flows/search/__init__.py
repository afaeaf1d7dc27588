"""Search spaces and optimizers, which are asked and told: one algorithm per file.

Pure: no I/O, no clock, no Prefect, no Dask.
"""

from hopsml_flows.search.base import BaseSearch, Evaluation, GaveUp, Optimizer, Proposal
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.enumeration import GridSearch, ListSearch, value_lists, zipped
from hopsml_flows.search.evolution.differential_evolution import DifferentialEvolution
from hopsml_flows.search.evolution.strategies import Strategy, Updating
from hopsml_flows.search.random import RandomSearch
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace

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
