"""The configurations of ``lagom`` in Maggy 1.0, under their module's name.

Example:
    >>> from hopsml_flows import Searchspace
    >>> from hopsml_flows.experiment_config import OptimizationConfig
    >>> space = Searchspace(lr=("DOUBLE", [0.001, 0.1]))
    >>> config = OptimizationConfig(num_trials=4, optimizer="randomsearch", searchspace=space)
    >>> config.optimization_key, config.es_min
    ('metric', 10)
"""

from __future__ import annotations

from hopsml_flows.maggy.configs import (
    AblationConfig,
    HyperparameterOptConfig,
    LagomConfig,
    OptimizationConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)

__all__ = [
    "AblationConfig",
    "HyperparameterOptConfig",
    "LagomConfig",
    "OptimizationConfig",
    "TfDistributedConfig",
    "TorchDistributedConfig",
]
