"""What follows from a search that has ended: its confirmation, and what becomes of its winner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopsml_flows.driver.promotion import promote
from hopsml_flows.storage import ModelPaths
from hopsml_flows.trials.confirmation import Confirmation, Promotion

if TYPE_CHECKING:
    from hopsml_flows.driver.driver import Driver
    from hopsml_flows.plan.plan import Plan
    from hopsml_flows.tracking import RecordFile
    from hopsml_flows.tracking.prefect.announcer import Announcer

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

    def draw(self) -> None:
        """Draw it, when no trial is left to run, and change the record, which is not written."""
        confirming, winner = self._driver.confirming, self._driver.loop.best
        self.confirmation = confirmation = confirming.confirmation()
        if confirmation is None or winner is None:
            return
        before, told = self._record.record, confirmation.as_json()
        is_known = before.confirmation == told
        self._record.change(confirmation=told)
        if not is_known:
            self.announcer.confirm(confirmation)
        if self._plan.options.only_if_better is None:
            return
        earlier = Promotion.from_json(before.promotion) if is_known else None
        if earlier is not None and earlier.model == self._plan.options.only_if_better:
            self.promotion = earlier  # nothing has been evaluated since
            return
        self.promotion = promote(
            self._plan,
            self._driver.paths,
            winner,
            confirmation,
            confirming.champion,
            confirming.refusal,
        )
        self._record.change(promotion=self.promotion.as_json())
        self.announcer.promote(self.promotion, self._place_of(self.promotion))

    def _place_of(self, promotion: Promotion) -> str | None:
        """The directory of the version that the winner became, or None."""
        if promotion.version is None:
            return None
        paths = ModelPaths(promotion.model, promotion.version)
        return self._plan.options.project.full(paths.root)
