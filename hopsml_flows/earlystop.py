"""Rules that end bad trials early, and what an own rule is written with.

Example:
    >>> from hopsml_flows.earlystop import HalvingStop, MedianStop
    >>> MedianStop(min_finished=5, direction="min")
    MedianStop(min_finished=5, interval=1, direction='MIN')
    >>> HalvingStop(reduction_factor=4)
    HalvingStop(min_reports=1, reduction_factor=4, direction='MAX')
"""

from __future__ import annotations

from hopsml_flows.maggy.early_stop_adapter import AbstractEarlyStop
from hopsml_flows.search.decisions import Stop, Why
from hopsml_flows.trials.curves import Curve
from hopsml_flows.trials.early_stop.base import EarlyStop
from hopsml_flows.trials.early_stop.halving import HalvingStop
from hopsml_flows.trials.early_stop.median import MedianStop
from hopsml_flows.trials.reports import Report

__all__ = [
    "AbstractEarlyStop",
    "Curve",
    "EarlyStop",
    "HalvingStop",
    "MedianStop",
    "Report",
    "Stop",
    "Why",
]
