"""One Prefect flow a kind of experiment, and what they share."""

from hopsml_flows.flows.block import HopsFSProject
from hopsml_flows.flows.evolution import differential_evolution
from hopsml_flows.flows.grid import grid_search
from hopsml_flows.flows.launch import launch
from hopsml_flows.flows.random import random_search

__all__ = ["HopsFSProject", "differential_evolution", "grid_search", "launch", "random_search"]
