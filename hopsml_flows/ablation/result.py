"""What an ablation study returns, besides what every experiment does: its trials by arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopsml_flows.ablation.components import BASE, label_of
from hopsml_flows.trials import SearchResult, TrialResult

__all__ = ["AblationResult", "ByArm", "metrics_by_arm"]


def metrics_by_arm(trials: Sequence[TrialResult]) -> dict[str, dict[int, float]]:
    """Return the metrics of trials: label of the arm to number of the repeat to metric.

    Args:
        trials: The trials. Those without a metric are left out; their arms are there.

    Example:
        >>> from hopsml_flows.trials import State
        >>> params = {"ablated_feature": "age", "ablated_layer": "None"}
        >>> metrics_by_arm([TrialResult(2, "", params, State.FINISHED, 0.5, repeat=1)])
        {'feature age': {1: 0.5}}
    """
    found: dict[str, dict[int, float]] = {}
    for trial in sorted(trials, key=lambda one: one.number):
        metrics = found.setdefault(label_of(trial.params), {})
        if trial.metric is not None:
            metrics[trial.repeat or 1] = trial.metric
    return found


class ByArm:
    """The trials of an ablation study by arm; results of its verbs have this."""

    base = BASE
    """Label of the arm that leaves nothing out."""

    if TYPE_CHECKING:

        @property
        def trials(self) -> tuple[TrialResult, ...]:
            """The trials, in order."""

    @property
    def metrics_by_arm(self) -> dict[str, dict[int, float]]:
        """Label of each arm, the base first, to number of the repeat to metric."""
        return metrics_by_arm(self.trials)


class AblationResult(ByArm, SearchResult):
    """The result of an ablation study: ``best_dir, best_params, best_outputs``.

    Besides the attributes of :class:`~hopsml_flows.trials.ExperimentResult` it has
    ``metrics_by_arm``.
    """
