"""The verbs. Each is a Prefect flow that runs the training function as an experiment.

Programs written for HopsML import this module in place of ``hops.experiment``. What it offers is
imported when it is used: a worker that runs one flow need not make all of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hopsml_flows.collection_pause import collection_paused

if TYPE_CHECKING:
    from hopsml_flows.ablation.result import AblationResult
    from hopsml_flows.cluster import ClusterConfig
    from hopsml_flows.flows.ablation import ablation
    from hopsml_flows.flows.differential_evolution import differential_evolution
    from hopsml_flows.flows.distributed import distributed
    from hopsml_flows.flows.former_calls import evolutionary_search
    from hopsml_flows.flows.grid_search import grid_search
    from hopsml_flows.flows.lagom import lagom
    from hopsml_flows.flows.launch import launch
    from hopsml_flows.flows.mirrored import collective_all_reduce, mirrored
    from hopsml_flows.flows.optimize import optimize
    from hopsml_flows.flows.parameter_server import parameter_server
    from hopsml_flows.flows.random_search import random_search
    from hopsml_flows.maggy.lagom_result import (
        LagomAblationResult,
        LagomListResult,
        LagomResult,
        LagomTrainingResult,
    )
    from hopsml_flows.rerun.verb import Rerun, rerun
    from hopsml_flows.search import Direction
    from hopsml_flows.server.project_block import HopsFSProject
    from hopsml_flows.trials import ExperimentResult, RunResult, SearchResult

__all__ = [
    "AblationResult",
    "ClusterConfig",
    "Direction",
    "ExperimentResult",
    "HopsFSProject",
    "LagomAblationResult",
    "LagomListResult",
    "LagomResult",
    "LagomTrainingResult",
    "Rerun",
    "RunResult",
    "SearchResult",
    "ablation",
    "collective_all_reduce",
    "differential_evolution",
    "distributed",
    "evolutionary_search",
    "grid_search",
    "lagom",
    "launch",
    "mirrored",
    "optimize",
    "parameter_server",
    "random_search",
    "rerun",
]

_HOMES = {
    **{
        verb: f"flows.{verb}"
        for verb in (
            "ablation",
            "differential_evolution",
            "distributed",
            "grid_search",
            "lagom",
            "launch",
            "mirrored",
            "optimize",
            "parameter_server",
            "random_search",
        )
    },
    "collective_all_reduce": "flows.mirrored",
    "evolutionary_search": "flows.former_calls",
    "AblationResult": "ablation.result",
    "ClusterConfig": "cluster",
    "Direction": "search",
    **dict.fromkeys(("Rerun", "rerun"), "rerun.verb"),
    "HopsFSProject": "server.project_block",
    **dict.fromkeys(("ExperimentResult", "RunResult", "SearchResult"), "trials"),
    **dict.fromkeys(
        ("LagomAblationResult", "LagomListResult", "LagomResult", "LagomTrainingResult"),
        "maggy.lagom_result",
    ),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with collection_paused():
        found: object = getattr(importlib.import_module(f"hopsml_flows.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
