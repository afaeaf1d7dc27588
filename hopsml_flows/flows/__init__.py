"""The verbs: one Prefect flow per kind of experiment."""

from hopsml_flows.flows.differential_evolution import differential_evolution
from hopsml_flows.flows.distributed import distributed
from hopsml_flows.flows.grid_search import grid_search
from hopsml_flows.flows.launch import launch
from hopsml_flows.flows.mirrored import collective_all_reduce, mirrored
from hopsml_flows.flows.parameter_server import parameter_server
from hopsml_flows.flows.random_search import random_search
from hopsml_flows.server.project_block import HopsFSProject

__all__ = [
    "HopsFSProject",
    "collective_all_reduce",
    "differential_evolution",
    "distributed",
    "grid_search",
    "launch",
    "mirrored",
    "parameter_server",
    "random_search",
]
