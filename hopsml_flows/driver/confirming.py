"""Evaluates the winner of a search again: who is evaluated beside it, and in which trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopsml_flows.errors import HopsmlError
from hopsml_flows.execution import Earlier, argument_order
from hopsml_flows.execution.signature import argument_defaults
from hopsml_flows.plan.champion import find_champion
from hopsml_flows.redaction import redacted
from hopsml_flows.text import number_text, plural
from hopsml_flows.trials import DEFAULT_KEY, Recorder, Trial, TrialLoop
from hopsml_flows.trials.confirmation import (
    Champion,
    Confirmation,
    Contest,
    Contestant,
    Repetitions,
    Role,
    defaults_of,
    fresh_seeds,
)
from hopsml_flows.values.plain import image_key

if TYPE_CHECKING:
    from hopsml_flows.plan.plan import Plan
    from hopsml_flows.storage import ExperimentPaths
    from hopsml_flows.trials import TrialResult

__all__ = ["Confirming"]


class Confirming:
    """The trials that confirm the winner of one search.

    Args:
        plan: The experiment.
        paths: Its paths.
        earlier: What such trials of earlier runs left.
    """

    def __init__(self, plan: Plan, paths: ExperimentPaths, earlier: Earlier) -> None:
        self._plan = plan
        self._paths = paths
        self._earlier = earlier
        self._winner: TrialResult | None = None
        self._contest: Contest | None = None
        self._without_defaults: str | None = None
        self.champion: Champion | None = None
        self.refusal: str | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is a winner, and it is to be confirmed."""
        return self._contest is not None

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
        champion = self._find_champion(winner)
        if champion is not None and image_key(champion.params) != image_key(winner.params):
            params, version = champion.params, champion.version
            contestants.append(Contestant(Role.CHAMPION, params, winner.budget, version))
        seed = self._plan.options.seed
        self._contest = Contest(
            contestants,
            fresh_seeds(self._paths.id if seed is None else seed, count),
            earlier=self._earlier.results,
            began=self._earlier.params,
            order=argument_order(self._plan.train.callable),
        )

    def _find_champion(self, winner: TrialResult) -> Champion | None:
        """Find the champion; without it, the winner is refused."""
        try:
            self.champion = find_champion(self._plan, self._paths.id, winner.params)
        except HopsmlError as error:  # it was replaced or removed since the experiment began
            self.refusal = redacted(str(error))
        return self.champion

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
