"""What follows from a search that has ended: its confirmation, and what becomes of its winner."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hopsml_flows.driver.page_links import lasting_flow_run_page
from hopsml_flows.driver.promotion import promote
from hopsml_flows.storage import ModelPaths
from hopsml_flows.text import readable
from hopsml_flows.trials.confirmation import Approval, Confirmation, Promotion

if TYPE_CHECKING:
    from hopsml_flows.driver.driver import Driver
    from hopsml_flows.plan.plan import Plan
    from hopsml_flows.tracking import RecordFile
    from hopsml_flows.tracking.prefect.announcer import Announcer
    from hopsml_flows.trials import TrialResult

__all__ = ["Conclusion"]


class Conclusion:
    """The conclusion of one experiment.

    Args:
        plan: The experiment.
        driver: Its driver.
        record: Its record.
        announcer: Tells Prefect what came of it.
    """

    def __init__(
        self, plan: Plan, driver: Driver, record: RecordFile, announcer: Announcer
    ) -> None:
        self._plan = plan
        self._driver = driver
        self._record = record
        self.announcer = announcer
        self.confirmation: Confirmation | None = None
        self.promotion: Promotion | None = None

    @property
    def asks(self) -> bool:
        """Whether it may take long: a person is asked. Then no worker should be held."""
        return self._plan.options.approve

    def draw(self) -> None:
        """Draw it, when no trial is left to run, and change the record.

        The record is written only where a person is asked.
        """
        confirming, winner = self._driver.confirming, self._driver.loop.best
        self.confirmation = confirmation = confirming.confirmation()
        self._forget_another(winner)
        if confirmation is None or winner is None:
            return
        before, told = self._record.record, confirmation.as_json()
        is_known = before.confirmation == told
        self._record.change(confirmation=told)
        if not is_known:
            self.announcer.confirm(confirmation)
        if self._plan.options.only_if_better is None:
            return
        known = before.promotion if is_known else None
        self.promotion = (
            confirming.promotion
            or self._answered(known)
            or promote(
                self._plan,
                self._driver.paths,
                winner,
                confirmation,
                confirming.champion,
                confirming.refusal,
                partial(self._ask, confirmation) if self.asks else None,
            )
        )
        told_now = self.promotion.as_json()
        self._record.change(promotion=told_now)
        if told_now != before.promotion:
            exported = self._exported(self.promotion, confirmation, winner)
            self.announcer.promote(self.promotion, self._place_of(self.promotion), exported)

    def _answered(self, told: dict[str, Any] | None) -> Promotion | None:
        """What an earlier run's record says, if a person has answered about this very winner."""
        earlier = Promotion.from_json(told)
        if earlier is None or earlier.model != self._plan.options.only_if_better:
            return None
        return earlier if earlier.asked is not None and not earlier.unanswered else None

    def _forget_another(self, winner: TrialResult | None) -> None:
        """Forget what earlier runs found out about a trial that is not the winner any more."""
        told = self._record.record.confirmation
        if told is not None and (winner is None or told.get("trial") != winner.number):
            self._record.change(confirmation=None, promotion=None)

    def _ask(self, confirmation: Confirmation, proposed: Promotion) -> Approval:
        """Ask a person. Until they answer, the record says that they are asked.

        Raises:
            ExperimentInterruptedError: Storage never took the record.
            ExperimentTakenOverError: Another driver has taken the experiment over.
        """
        # Only where a person is asked.
        from hopsml_flows.server.approval import ask_person
        from hopsml_flows.tracking.prefect.approval_page import approval_page

        upkeep, paths, options = self._driver.upkeep, self._driver.paths, self._plan.options
        self._record.change(promotion=proposed.as_json())
        upkeep.insist(lambda: self._record.save(patience=0))
        self.announcer.propose(proposed)
        place = lasting_flow_run_page() or f"flow run {self._record.record.flow_run_id}"
        self._driver.progress.note(f"Waiting for a person to approve {proposed.model}: {place}")
        page = approval_page(
            proposed, confirmation, paths.id, readable(options.project.full(paths.root))
        )
        return ask_person(page, options.approve_timeout, upkeep.look)

    def _exported(
        self, promotion: Promotion, confirmation: Confirmation, winner: TrialResult
    ) -> TrialResult | None:
        """The trial whose model was exported, or None."""
        trials = (*confirmation.results, winner)
        return next((trial for trial in trials if trial.number == promotion.trial), None)

    def _place_of(self, promotion: Promotion) -> str | None:
        """The directory of the version that the winner became, or None."""
        if promotion.version is None:
            return None
        paths = ModelPaths(promotion.model, promotion.version)
        return self._plan.options.project.full(paths.root)
