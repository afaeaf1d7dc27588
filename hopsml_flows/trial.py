"""Maggy's trial, which optimizers that are written for Maggy suggest, under its module's name."""

from __future__ import annotations

from hopsml_flows.maggy.trial import Trial

__all__ = ["Trial"]
