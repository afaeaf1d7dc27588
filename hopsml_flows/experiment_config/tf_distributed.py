"""One of these configurations, which Maggy's programs import from a module of its own."""

from __future__ import annotations

from hopsml_flows.maggy.configs import TfDistributedConfig

__all__ = ["TfDistributedConfig"]
