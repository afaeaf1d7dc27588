"""Evaluates the winner of a search again: who is evaluated beside it, and in which trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hopsml_flows.errors import HopsmlError
from hopsml_flows.execution import Earlier, argument_order
from hopsml_flows.execution.signature import argument_defaults
from hopsml_flows.plan.champion import find_champion, with_own_values
from hopsml_flows.redaction import redacted
from hopsml_flows.text import number_text, plural
from hopsml_flows.trials import DEFAULT_KEY, Recorder, Trial, TrialLoop
from hopsml_flows.trials.confirmation import (
    Champion,
    Confirmation,
    Contest,
    Contestant,
    Promotion,
    Repetitions,
    Role,
    defaults_of,
    fresh_seeds,
)
from hopsml_flows.values.plain import image_key

if TYPE_CHECKING:
    from hopsml_flows.plan.plan import Plan
    from hopsml_flows.storage import ExperimentPaths
    from hopsml_flows.tracking import ExperimentRecord
    from hopsml_flows.trials import TrialResult

__all__ = ["Confirmed", "Confirming"]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What earlier runs of an experiment left of its confirmation.

    Args:
        trials: What the trials left that confirm its winner.
        confirmation: What came of them, or None.
        promotion: What became of the winner then, or None.
    """

    trials: Earlier = field(default_factory=lambda: Earlier({}, {}))
    confirmation: Confirmation | None = None
    promotion: Promotion | None = None

    @classmethod
    def of(cls, trials: Earlier, record: ExperimentRecord | None) -> Confirmed:
        """Return what trials and a record say.

        Args:
            trials: What the trials left.
            record: The record of the earlier runs, or None.
        """
        if record is None:
            return cls(trials)
        confirmation = Confirmation.from_json(record.confirmation)
        return cls(trials, confirmation, Promotion.from_json(record.promotion))


class Confirming:
    """The trials that confirm the winner of one search.

    Args:
        plan: The experiment.
        paths: Its paths.
        earlier: What earlier runs left of it.
    """

    def __init__(self, plan: Plan, paths: ExperimentPaths, earlier: Confirmed) -> None:
        self._plan = plan
        self._paths = paths
        self._earlier = earlier
        self._winner: TrialResult | None = None
        self._contest: Contest | None = None
        self._without_defaults: str | None = None
        self.champion: Champion | None = None
        self.refusal: str | None = None
        self.promotion: Promotion | None = None
        """How an earlier run promoted this winner: that stays, whatever came later. Else None."""

    @property
    def is_on(self) -> bool:
        """Whether there is a winner, and it is to be confirmed."""
        return self._contest is not None

    @property
    def was_interrupted(self) -> bool:
        """Whether an earlier run has begun to confirm a winner, and was killed meanwhile."""
        return bool(self._earlier.trials.params) and self._earlier.confirmation is None

    @property
    def missing(self) -> list[Trial]:
        """The trials that have no result yet; none before :meth:`begin`."""
        return [] if self._contest is None else self._contest.missing

    @property
    def intention(self) -> str:
        """What is going to happen, in words."""
        assert self._winner is not None
        key, metric = self._plan.optimization_key or DEFAULT_KEY, self._winner.metric or 0.0
        seeds = plural(self._plan.options.confirm or 0, "fresh seed")
        trials = plural(len(self.missing), "trial")
        found = f"trial {self._winner.number} ({key} {number_text(metric)})"
        return f"Confirming {found} on {seeds}: {trials}"

    def begin(self, winner: TrialResult | None) -> None:
        """Decide which trials confirm a winner, once.

        Args:
            winner: The best trial of the search, which has ended; None if none succeeded.
        """
        count = self._plan.options.confirm
        if self._contest is not None or count is None or winner is None or winner.metric is None:
            return
        self._winner = winner
        contestants = [Contestant(Role.WINNER, winner.params, winner.budget)]
        own = argument_defaults(self._plan.train.callable)
        defaults, self._without_defaults = defaults_of(winner.params, own)
        if defaults is not None and image_key(defaults) == image_key(winner.params):
            defaults, self._without_defaults = None, "the winner has the function's defaults"
        if defaults is not None:
            contestants.append(Contestant(Role.DEFAULTS, defaults, winner.budget))
        self.promotion = self._earlier_promotion(winner)
        champion = self._champion(winner)
        if champion is not None:
            contestants.append(champion)
        seed = self._plan.options.seed
        self._contest = Contest(
            contestants,
            fresh_seeds(self._paths.id, seed, count),
            earlier=self._earlier.trials.results,
            began=self._earlier.trials.params,
            order=argument_order(self._plan.train.callable),
        )

    def _earlier_promotion(self, winner: TrialResult) -> Promotion | None:
        """How an earlier run promoted this winner to a version of this model, or None."""
        confirmation, promotion = self._earlier.confirmation, self._earlier.promotion
        if confirmation is None or promotion is None or not promotion.promoted:
            return None
        params = confirmation.winner.contestant.params
        is_same = image_key(params) == image_key(winner.params)
        return promotion if is_same and promotion.model == self._named else None

    @property
    def _named(self) -> str | None:
        return self._plan.options.only_if_better

    def _champion(self, winner: TrialResult) -> Contestant | None:
        """Whom the winner has to beat, or has beaten; None if there is no other configuration."""
        if self.promotion is not None:
            assert self._earlier.confirmation is not None
            beaten = self._earlier.confirmation.champion
            if beaten is None:
                return None
            params = with_own_values(self._plan, beaten.contestant.params)
            version = beaten.contestant.version
            return Contestant(Role.CHAMPION, params, winner.budget, version)
        try:
            found = find_champion(self._plan, self._paths.id, winner.params)
        except HopsmlError as error:  # it was replaced or removed since the experiment began
            self.refusal = redacted(str(error))
            return None
        self.champion = found
        if found is None or image_key(found.params) == image_key(winner.params):
            return None
        return Contestant(Role.CHAMPION, found.params, winner.budget, found.version)

    def loop(self, record: Recorder) -> TrialLoop:
        """Return a trial loop that runs the missing trials.

        Args:
            record: Called with each event of the loop and its instructions.
        """
        trials = self.missing
        search = self._plan.search()
        counts_reports = self._plan.has_budgets and getattr(search, "judges_reports", False)
        top = max(getattr(search, "budgets", ()), default=None) if counts_reports else None
        return TrialLoop(
            Repetitions(trials, top),
            direction=self._plan.direction,
            retries=self._plan.options.retries,
            began={trial.number: trial for trial in trials},
            record=record,
        )

    def dressed(self, trial: Trial) -> Trial:
        """Return a trial of the loop with its fresh seed.

        Args:
            trial: The trial.
        """
        assert self._contest is not None
        return self._contest.dressed(trial)

    def add(self, result: TrialResult) -> None:
        """Take in a result.

        Args:
            result: The result.
        """
        assert self._contest is not None
        self._contest.add(result)

    def confirmation(self) -> Confirmation | None:
        """Return what came of it; None if nothing was to be confirmed, or trials are missing."""
        if self._contest is None or self._winner is None or self.missing:
            return None
        key = self._plan.optimization_key or DEFAULT_KEY
        return self._contest.confirmation(
            key, self._plan.optimized, self._winner, self._without_defaults
        )
