"""What the trials of an ablation study mean together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from hopsml_flows.ablation.arms import Arm
from hopsml_flows.ablation.around import Around
from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.effects import effects, with_costs
from hopsml_flows.ablation.pairs import Interaction, interactions
from hopsml_flows.ablation.sequential import Decisions, SequentialRule, judge_all
from hopsml_flows.ablation.verdicts import Judged, Verdict
from hopsml_flows.search import Direction
from hopsml_flows.trials import TrialResult
from hopsml_flows.values.arguments import is_whole
from hopsml_flows.values.plain import image_key

__all__ = ["PARAMETERS", "Costs", "Design", "Findings", "findings"]

PARAMETERS = "parameters"
"""Key of a trial's outputs that says how many parameters its model has."""

_ENDINGS = {
    Verdict.MATTERS: ("matters", "matter"),
    Verdict.HARMFUL: ("is harmful", "are harmful"),
    Verdict.NOISE: ("is within noise", "are within noise"),
    Verdict.UNKNOWN: ("is unknown", "are unknown"),
}


@dataclass(frozen=True, slots=True)
class Design:
    """The arms of a study, and how they are judged.

    Args:
        arms: Label of each arm, the base first, to its hyperparameters.
        pairs: Label of each arm that leaves two components out, to those that leave out one each.
        rule: Which arms get more seeds; None if all get the same number.
        budget: The budget of each trial; None if they have none.
    """

    arms: Mapping[str, Mapping[str, Any]]
    pairs: Mapping[str, tuple[str, str]]
    rule: SequentialRule | None = None
    budget: float | None = None

    @classmethod
    def of_arms(cls, arms: Iterable[Arm], rule: SequentialRule | None = None) -> Design:
        """Return the design of a study of components.

        Args:
            arms: Its arms, the base first.
            rule: Which arms get more seeds, or None.

        Example:
            >>> list(Design.of_arms([Arm(())]).arms)
            ['base']
        """
        arms = tuple(arms)
        pairs = {}
        for arm in arms:
            if len(arm.components) == 2:
                one, other = arm.components
                pairs[arm.label] = (Arm((one,)).label, Arm((other,)).label)
        return cls({arm.label: arm.params for arm in arms}, pairs, rule)

    @classmethod
    def of_winner(cls, around: Around, rule: SequentialRule | None = None) -> Design:
        """Return the design of a study around a search's winner.

        Args:
            around: The winner and its arms.
            rule: Which arms get more seeds, or None.
        """
        arms = {BASE: around.params()}
        arms |= {arm.name: around.params(arm) for arm in around.arms}
        return cls(arms, {}, rule, around.budget)

    def metrics(self, trials: Iterable[TrialResult]) -> dict[str, dict[int, float]]:
        """Return label of each arm to number of the repeat, from 1, to metric.

        Args:
            trials: The trials.
        """
        found: dict[str, dict[int, float]] = {label: {} for label in self.arms}
        for label, members in self._by_arm(trials).items():
            for trial in members:
                if trial.metric is not None:
                    found[label][trial.repeat or 1] = trial.metric
        return found

    def decide(
        self, metrics: Mapping[str, Mapping[int, float]], direction: Direction, repeats: int
    ) -> Decisions | None:
        """Return what the rule has decided; None if there is no rule.

        Args:
            metrics: Label to number of the repeat, from 1, to metric.
            direction: Which way is better.
            repeats: Number of repeats that were run of the arms that were undecided.
        """
        if self.rule is None:
            return None
        counted = {
            label: {repeat - 1: value for repeat, value in by_repeat.items()}
            for label, by_repeat in metrics.items()
        }
        return self.rule.decide(counted, base=BASE, direction=direction.value, repeats=repeats)

    def seconds(self, trials: Iterable[TrialResult]) -> dict[str, float]:
        """Return label of each arm to the median duration of its trials that succeeded.

        The first trial of a process imports libraries: the mean of the base would tell of that.

        Args:
            trials: The trials.
        """
        found = {}
        for label, members in self._by_arm(trials).items():
            known = [one.duration for one in members if one.succeeded and one.duration is not None]
            if known:
                found[label] = median(known)
        return found

    def parameters(self, trials: Iterable[TrialResult]) -> dict[str, int]:
        """Return label of each arm to the number of its parameters, where its trials returned it.

        Args:
            trials: The trials.
        """
        found: dict[str, int] = {}
        for label, members in self._by_arm(trials).items():
            for one in members:
                count = (one.outputs or {}).get(PARAMETERS)
                if is_whole(count) and count >= 0:
                    found.setdefault(label, int(count))
        return found

    def _by_arm(self, trials: Iterable[TrialResult]) -> dict[str, list[TrialResult]]:
        labels = {image_key(params): label for label, params in self.arms.items()}
        found: dict[str, list[TrialResult]] = {}
        for trial in sorted(trials, key=lambda one: one.number):
            label = labels.get(image_key(trial.params))
            if label is not None:
                found.setdefault(label, []).append(trial)
        return found


@dataclass(frozen=True, slots=True)
class Costs:
    """What the trials of an arm cost.

    Args:
        parameters: Number of parameters of its model, if known.
        seconds: Median duration of its trials that succeeded, if known.
    """

    parameters: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a study found.

    Args:
        metrics_by_arm: Label of each arm, the base first, to number of the repeat to metric.
        pairs: Label of each arm that leaves two components out, to those that leave out one each.
        effects: The effect of each component with its verdict, the largest first.
        interactions: What pairs cost beyond the sum of both, the strongest first.
        direction: Which way is better.
        metric: The metric's name.
        alpha: How often such a study finds any effect where there is none.
        base: What trials of the base cost.
        is_sequential: Whether only undecided arms got more seeds. Then the verdicts allow for
            several looks, and the p-values do not.
    """

    metrics_by_arm: Mapping[str, Mapping[int, float]]
    pairs: Mapping[str, tuple[str, str]]
    effects: tuple[Judged, ...]
    interactions: tuple[Interaction, ...]
    direction: Direction
    metric: str = "metric"
    alpha: float = 0.05
    base: Costs = field(default_factory=Costs)
    is_sequential: bool = False

    @property
    def words(self) -> str:
        """All verdicts in one sentence.

        Example:
            >>> from hopsml_flows.ablation import Effect, Judged
            >>> judged = [
            ...     Judged(Effect(arm="feature age", repeats=5), Verdict.MATTERS, ""),
            ...     Judged(Effect(arm="feature fare", repeats=5), Verdict.MATTERS, ""),
            ...     Judged(Effect(arm="layer two", repeats=5), Verdict.NOISE, ""),
            ... ]
            >>> Findings({}, {}, tuple(judged), (), Direction.MAX).words
            'feature age, feature fare matter; layer two is within noise'
        """
        said = []
        for verdict, (one, many) in _ENDINGS.items():
            arms = [judged.effect.arm for judged in self.effects if judged.verdict is verdict]
            if arms:
                said.append(f"{', '.join(arms)} {one if len(arms) == 1 else many}")
        return "; ".join(said)


def findings(
    design: Design,
    trials: Sequence[TrialResult],
    *,
    direction: Direction,
    metric: str = "metric",
) -> Findings:
    """Return what the trials of a study mean together.

    Args:
        design: The study.
        trials: Its trials, in any order.
        direction: Which way is better.
        metric: The metric's name.

    Example:
        >>> from hopsml_flows.trials import State
        >>> design = Design({"base": {"x": 1}, "x=0": {"x": 0}}, {})
        >>> metrics = [0.91, 0.52, 0.93, 0.55, 0.92, 0.53]
        >>> trials = [
        ...     TrialResult(n, "", {"x": n % 2}, State.FINISHED, metric, repeat=(n + 1) // 2)
        ...     for n, metric in enumerate(metrics, 1)
        ... ]
        >>> findings(design, trials, direction=Direction.MAX).words
        'x=0 matters'
    """
    metrics = design.metrics(trials)
    single = {label: values for label, values in metrics.items() if label not in design.pairs}
    repeats = max((trial.repeat or 1 for trial in trials), default=0)
    decisions = design.decide(single, direction, repeats)
    parameters, seconds = design.parameters(trials), design.seconds(trials)
    found = with_costs(
        effects(single, base=BASE, direction=direction.value),
        parameters=parameters,
        seconds=seconds,
    )
    pairs = interactions(metrics, design.pairs, base=BASE, direction=direction.value)
    return Findings(
        metrics,
        design.pairs,
        judge_all(found, decisions),
        pairs,
        direction,
        metric,
        base=Costs(parameters.get(BASE), seconds.get(BASE)),
        is_sequential=decisions is not None,
    )
