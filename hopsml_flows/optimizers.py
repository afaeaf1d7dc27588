"""The same as :mod:`hopsml_flows.optimizer`."""

from __future__ import annotations

from hopsml_flows.maggy.optimizers import (
    AbstractOptimizer,
    Asha,
    GridSearch,
    RandomSearch,
    SingleRun,
)

__all__ = ["AbstractOptimizer", "Asha", "GridSearch", "RandomSearch", "SingleRun"]
