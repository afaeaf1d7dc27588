"""Judges what running trials report: by the rule of early stopping, then by the search. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hopsml_flows.search.decisions import Pause, Stop
from hopsml_flows.trials.curves import Curve

if TYPE_CHECKING:
    from hopsml_flows.search import Decision, Optimizer
    from hopsml_flows.trials.early_stop.base import EarlyStop
    from hopsml_flows.trials.model import TrialResult
    from hopsml_flows.trials.reports import Report

__all__ = ["JudgedReports"]


class JudgedReports:
    """The curves of running trials, and what was decided about each.

    Args:
        optimizer: The search, which is told every report until its trial is to stop.
        rule: The rule of early stopping, or None.
    """

    def __init__(self, optimizer: Optimizer, rule: EarlyStop | None) -> None:
        self._optimizer = optimizer
        self._rule = rule
        self._curves: dict[int, Curve] = {}
        self._stopping: set[int] = set()

    def begin(self, number: int, params: Mapping[str, Any]) -> None:
        """Tell the rule that a trial starts, if it wants to know.

        Args:
            number: The trial's number.
            params: Its hyperparameters.
        """
        begin = getattr(self._rule, "begin", None)
        if begin is not None:
            begin(number, params)

    def add(self, number: int, report: Report) -> Decision | None:
        """Add a report of a running trial.

        Args:
            number: The trial's number.
            report: The report.

        Returns:
            What becomes of the trial. A trial that is to stop is not judged again.
        """
        curve = self._curves.setdefault(number, Curve())
        curve.add(report)
        if number in self._stopping:
            return None
        decision: Decision | None = None
        if self._rule is not None:
            decision = self._rule.judge(number, curve)
        if not isinstance(decision, Stop):
            decision = self._optimizer.report(number, report.step, report.metric)
        if isinstance(decision, (Stop, Pause)):
            self._stopping.add(number)
        return decision

    def forget(self, number: int) -> None:
        """Forget what an attempt has reported: the trial begins again."""
        self._stopping.discard(number)
        if self._curves.pop(number, None) is not None:
            self._optimizer.restart(number)

    def end(self, result: TrialResult) -> None:
        """Tell the rule that a trial has ended, if it has a metric."""
        self._stopping.discard(result.number)
        curve = self._curves.pop(result.number, None) or Curve()
        if self._rule is not None and result.succeeded:
            curve.metric = result.metric
            self._rule.end(result.number, curve)
