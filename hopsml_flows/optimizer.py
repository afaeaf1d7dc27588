"""Maggy's optimizers as objects, and the base of own ones, under their module's name in Maggy.

:mod:`hopsml_flows.search` has this package's own.
"""

from __future__ import annotations

from hopsml_flows.maggy.optimizers import (
    AbstractOptimizer,
    Asha,
    GridSearch,
    RandomSearch,
    SingleRun,
)

__all__ = ["AbstractOptimizer", "Asha", "GridSearch", "RandomSearch", "SingleRun"]
