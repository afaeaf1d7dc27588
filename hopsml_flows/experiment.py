"""The verbs. Each is a Prefect flow that runs the training function as an experiment.

Programs written for HopsML import this module in place of ``hops.experiment``.
"""

from __future__ import annotations

from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.flows import (
    HopsFSProject,
    collective_all_reduce,
    differential_evolution,
    distributed,
    grid_search,
    launch,
    mirrored,
    parameter_server,
    random_search,
)
from hopsml_flows.flows.former_calls import evolutionary_search
from hopsml_flows.search import Direction
from hopsml_flows.trials import ExperimentResult, RunResult, SearchResult

__all__ = [
    "ClusterConfig",
    "Direction",
    "ExperimentResult",
    "HopsFSProject",
    "RunResult",
    "SearchResult",
    "collective_all_reduce",
    "differential_evolution",
    "distributed",
    "evolutionary_search",
    "grid_search",
    "launch",
    "mirrored",
    "parameter_server",
    "random_search",
]
