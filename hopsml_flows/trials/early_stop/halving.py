"""Successive halving on reports: at each rung only the best part of the trials goes on."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

from hopsml_flows.search.decisions import Stop, Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.text import plural
from hopsml_flows.trials.early_stop.comparison import as_loss, relation
from hopsml_flows.values.arguments import whole_number

if TYPE_CHECKING:
    from hopsml_flows.trials.curves import Curve

__all__ = ["HalvingStop"]


class HalvingStop:
    """Stops a trial that is not among the best of those that have reported as often.

    This is asynchronous successive halving (ASHA [1]) without pauses: a trial that is good enough
    goes on at once, and any other one is stopped. The rungs are at ``min_reports``,
    ``min_reports * reduction_factor``, ``min_reports * reduction_factor**2``, … reports. Of the m
    trials that have reached a rung so far, the best ``m // reduction_factor``, but at least one, go
    on. A trial that equals the last of these goes on, too. Nothing waits: a trial is compared with
    those that came before it, and the first one at a rung always goes on.

    A rung counts reports, not steps. Steps are the training function's own: they may begin
    anywhere, leave numbers out, or repeat, so a trial could pass a rung without a report at it. The
    n-th report comes exactly once. Let trials report at equal intervals, such as each epoch.

    A trial is compared by its value at the rung. One that is NaN or infinite is worse than every
    number.

    [1] Li et al., *A System for Massively Parallel Hyperparameter Tuning*, MLSys 2020.

    Args:
        min_reports: Reports before a trial is judged first.
        reduction_factor: The best 1 / ``reduction_factor`` of the trials at a rung go on; at
            least 2.
        direction: Which way the metric is better.

    Raises:
        InvalidArgumentError: An argument is out of range.

    Example:
        >>> from hopsml_flows.earlystop import Curve, HalvingStop, Report
        >>> def first(value):
        ...     curve = Curve()
        ...     curve.add(Report(value, step=0))
        ...     return curve
        >>> rule = HalvingStop(min_reports=1, reduction_factor=2, direction="min")
        >>> [rule.judge(trial, first(loss)) for trial, loss in enumerate([0.5, 0.4, 0.4], 1)]
        [None, None, None]
        >>> print(rule.judge(4, first(0.6)).why)
        halving at step 0: its value 0.6 after 1 report is above 0.4, which it takes to be among \
the best 2 of 4 trials
    """

    def __init__(
        self,
        *,
        min_reports: int = 1,
        reduction_factor: int = 2,
        direction: Direction | str = Direction.MAX,
    ) -> None:
        self.min_reports = whole_number("min_reports", min_reports, least=1)
        self.reduction_factor = whole_number("reduction_factor", reduction_factor, least=2)
        self.direction = Direction.parse(direction)
        self._rungs: dict[int, _Rung] = {}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(min_reports={self.min_reports}, "
            f"reduction_factor={self.reduction_factor}, direction={str(self.direction)!r})"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments other than the direction, as JSON values."""
        return {"min_reports": self.min_reports, "reduction_factor": self.reduction_factor}

    def judge(self, trial: int, curve: Curve) -> Stop | None:
        """Decide about a running trial that has just reported.

        Args:
            trial: The trial's number.
            curve: All that it has reported, the new report last.

        Returns:
            The reason to stop it; None if it goes on.
        """
        reports = len(curve)
        if not self._is_rung(reports):
            return None
        rung = self._enter(trial, curve, reports)
        places = max(1, len(rung.losses) // self.reduction_factor)
        value, threshold = curve.values[-1], rung.losses[places - 1]
        if as_loss(self.direction, value) <= threshold:
            return None
        words = (
            f"its value {{value}} after {plural(reports, 'report')} "
            f"{relation(self.direction, value)} {{threshold}}, which it takes to be among the best "
            f"{places} of {plural(len(rung.losses), 'trial')}"
        )
        return Stop(Why("halving", value, words, curve.steps[-1], self.direction.loss(threshold)))

    def end(self, trial: int, curve: Curve) -> None:
        """Take note that a trial has ended with a metric, by itself or stopped.

        It stays on the rungs that it has reached. A trial that was not judged, as it ended in an
        earlier run of the experiment, enters them now.

        Args:
            trial: The trial's number.
            curve: All that it has reported; empty if nothing.
        """
        rung = self.min_reports
        while rung <= len(curve):
            self._enter(trial, curve, rung)
            rung *= self.reduction_factor

    def _enter(self, trial: int, curve: Curve, reports: int) -> _Rung:
        rung = self._rungs.setdefault(reports, _Rung())
        rung.enter(trial, as_loss(self.direction, curve.values[reports - 1]))
        return rung

    def _is_rung(self, reports: int) -> bool:
        rung = self.min_reports
        while rung < reports:
            rung *= self.reduction_factor
        return rung == reports


class _Rung:
    """The trials that have reached a rung: each once, by what its latest attempt had there."""

    __slots__ = ("_of_trial", "losses")

    def __init__(self) -> None:
        self.losses: list[float] = []  # the best first
        self._of_trial: dict[int, float] = {}

    def enter(self, trial: int, loss: float) -> None:
        earlier = self._of_trial.get(trial)
        if earlier is not None:
            del self.losses[bisect_left(self.losses, earlier)]
        self._of_trial[trial] = loss
        insort(self.losses, loss)
