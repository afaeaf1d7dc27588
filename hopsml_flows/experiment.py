"""The verbs: each runs the training function as an experiment, and each is a Prefect flow.

Programs written for HopsML import this module instead of ``hops.experiment``.
"""

from __future__ import annotations

from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.flows import (
    HopsFSProject,
    differential_evolution,
    grid_search,
    launch,
    random_search,
)
from hopsml_flows.search import Direction
from hopsml_flows.trials import ExperimentResult

__all__ = [
    "ClusterConfig",
    "Direction",
    "ExperimentResult",
    "HopsFSProject",
    "differential_evolution",
    "grid_search",
    "launch",
    "random_search",
]
