"""The configurations of ``lagom`` in Maggy 1.1, under their module's name.

Example:
    >>> from hopsml_flows import Searchspace
    >>> from hopsml_flows.config import HyperparameterOptConfig
    >>> space = Searchspace(lr=("DOUBLE", [0.001, 0.1]))
    >>> config = HyperparameterOptConfig(5, "randomsearch", space, es_interval=10)
    >>> config.optimization_key, config.es_policy
    ('Metric', 'median')
"""

from __future__ import annotations

from hopsml_flows.maggy.configs import (
    AblationConfig,
    BaseConfig,
    HyperparameterOptConfig,
    LagomConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)

__all__ = [
    "AblationConfig",
    "BaseConfig",
    "HyperparameterOptConfig",
    "LagomConfig",
    "TfDistributedConfig",
    "TorchDistributedConfig",
]
