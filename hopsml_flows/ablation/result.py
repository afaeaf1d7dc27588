"""What an ablation study returns, besides what every experiment does: its trials by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

from hopsml_flows.ablation.components import BASE, label_of, together
from hopsml_flows.ablation.findings import Design, Findings, findings
from hopsml_flows.ablation.page_part import findings_html
from hopsml_flows.ablation.pairs import Interaction
from hopsml_flows.ablation.verdicts import Judged
from hopsml_flows.search import Direction
from hopsml_flows.trials import DEFAULT_KEY, ExperimentResult, SearchResult, TrialResult
from hopsml_flows.trials.result_views import result_html

__all__ = ["AblationResult", "ByArm", "pairs_among"]


def pairs_among(trials: Sequence[TrialResult]) -> dict[str, tuple[str, str]]:
    """Return which arms leave two components out, and the arms that leave out one of them each.

    Args:
        trials: The trials of a study.

    Example:
        >>> from hopsml_flows.trials import State
        >>> arms = ["None", "age", "fare", "age + fare"]
        >>> params = [{"ablated_feature": arm, "ablated_layer": "None"} for arm in arms]
        >>> pairs_among([TrialResult(n, "", one, State.FINISHED) for n, one in enumerate(params)])
        {'feature age + fare': ('feature age', 'feature fare')}
    """
    params = {label_of(trial.params): trial.params for trial in trials}
    found: dict[str, tuple[str, str]] = {}
    for one, other in combinations([label for label in params if label != BASE], 2):
        label = label_of(together(params[one], params[other]))
        if label in params and label not in (one, other):
            found[label] = (one, other)
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
        def direction(self) -> Direction | None:
            """Which way is better."""

        @property
        def optimization_key(self) -> str | None:
            """The metric's key."""

        findings: Any

    @property
    def metrics_by_arm(self) -> dict[str, dict[int, float]]:
        """Label of each arm, the base first, to number of the repeat to metric."""
        return {arm: dict(metrics) for arm, metrics in self._found.metrics_by_arm.items()}

    @property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """Label of each arm that leaves two components out, to those that leave out one each."""
        return dict(self._found.pairs)

    @property
    def effects(self) -> tuple[Judged, ...]:
        """The effect of each component with its verdict, the largest effect first."""
        return self._found.effects

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What pairs cost beyond the sum of both, the strongest first."""
        return self._found.interactions

    def _repr_html_(self) -> str:  # IPython's, for notebooks
        found = f'<div style="overflow-x:auto">{findings_html(self._found)}</div>'
        return result_html(cast(ExperimentResult, self), found if self._found.effects else "")

    @property
    def _found(self) -> Findings:
        if isinstance(self.findings, Findings):
            return self.findings
        arms: dict[str, Mapping[str, Any]] = {BASE: {}}
        arms |= {label_of(trial.params): trial.params for trial in self.trials}
        return findings(
            Design(arms, pairs_among(self.trials)),
            self.trials,
            direction=self.direction or Direction.MAX,
            metric=self.optimization_key or DEFAULT_KEY,
        )


class AblationResult(ByArm, SearchResult):
    """The result of an ablation study: ``best_dir, best_params, best_outputs``.

    Besides the attributes of :class:`~hopsml_flows.experiment.ExperimentResult` it has
    ``effects``, ``interactions``, ``metrics_by_arm`` and ``pairs``.
    """
