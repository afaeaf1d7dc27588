"""The interface of a rule of early stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from hopsml_flows.search import Stop
    from hopsml_flows.trials.curves import Curve

__all__ = ["EarlyStop"]


@runtime_checkable
class EarlyStop(Protocol):
    """Decides whether a running trial is stopped.

    The trial loop asks the rule once at each report, in the order in which it learns of them, and
    no more once the rule has stopped the trial. A trial that never reports is never judged.

    A rule may keep what it needs of the calls before. It reads no clock and draws no random
    numbers: the same calls in the same order give the same answers.

    A rule that needs hyperparameters has a method ``begin(trial, params)``, too. The trial loop
    calls it whenever it starts a trial, with the trial's number.

    A rule may also have ``direction``, which then must be the experiment's, and ``settings``: its
    constructor's other arguments as a dict of JSON values, which the experiment's record shows.
    """

    def judge(self, trial: int, curve: Curve) -> Stop | None:
        """Decide about a running trial that has just reported.

        Args:
            trial: The trial's number.
            curve: All that it has reported in this attempt, the new report last. A trial whose
                worker was lost begins again, with a new curve.

        Returns:
            The reason to stop it; None if it goes on.
        """
        ...

    def end(self, trial: int, curve: Curve) -> None:
        """Take note that a trial has ended with a metric, by itself or stopped.

        Args:
            trial: The trial's number.
            curve: All that it has reported; empty if nothing. Its ``metric`` is that of the trial.
        """
        ...
