"""Makes the winner of a search a version of a model, if it is better than the best one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hopsml_flows.errors import (
    ExperimentInterruptedError,
    ExperimentTakenOverError,
    HopsmlError,
    InvalidArgumentError,
)
from hopsml_flows.models import ModelRecord
from hopsml_flows.models.repository import keep_confirmed
from hopsml_flows.models.result_export import TrialExporter
from hopsml_flows.models.version_claim import other_writer
from hopsml_flows.plan.champion import find_champion, own_version
from hopsml_flows.plan.plan import Plan
from hopsml_flows.redaction import redacted
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.text import one_line
from hopsml_flows.trials import TrialResult
from hopsml_flows.trials.confirmation import (
    LEVEL,
    Approval,
    Champion,
    Confirmation,
    Decision,
    Judged,
    Promotion,
    decide,
    has_params,
)

__all__ = ["promote"]

_NO_MODEL = "it returned no path of a model, and not one of its files is certain to be one"


class _OvertakenError(HopsmlError):
    """The winner was compared with a version that may not be the best one any more."""


def promote(
    plan: Plan,
    paths: ExperimentPaths,
    winner: TrialResult,
    confirmation: Confirmation,
    champion: Champion | None,
    refusal: str | None = None,
    ask: Callable[[Promotion], Approval] | None = None,
) -> Promotion:
    """Decide about the winner, and export its model if it is promoted.

    Args:
        plan: The experiment; it names a model.
        paths: The experiment's paths.
        winner: The best trial of the search.
        confirmation: What came of evaluating it and the champion.
        champion: The best version of the model; None if there is none.
        refusal: Why it is not known which one that is, or None.
        ask: Asks a person about a winner that the rule promotes; None to ask none.

    Raises:
        ExperimentInterruptedError: A person was to be asked, and storage took no record of it.
        ExperimentTakenOverError: Another driver has taken the experiment over meanwhile.
    """
    name = plan.options.only_if_better
    assert name is not None
    case = _Case(plan, paths, name, winner, confirmation, champion)
    decision = Decision(False, refusal) if refusal is not None else decide(confirmation, champion)
    said: str | None = None
    try:
        own = own_version(plan, paths.id, winner.params)
        if own is not None:  # the driver died between the export and its record
            return case.promoted(own, decision)
        exporter = TrialExporter(plan.options.project, paths.id, plan.optimization_key)
        trial = _with_model(exporter, winner, confirmation) if decision.promotes else None
        if trial is None:
            case.keep()
            return case.refused(_NO_MODEL if decision.promotes else decision.why)
        if ask is not None:
            answer = case.asked(decision, ask)
            if isinstance(answer, Promotion):
                return answer
            said = answer.said
        entry = _confirmed(confirmation, confirmation.winner, paths.id, confirmation.optimistic)
        record = exporter.export(trial, name, confirmed=entry, check=case.check)
    except _OvertakenError as error:
        return case.refused(str(error), said)
    except (ExperimentInterruptedError, ExperimentTakenOverError):  # of the question to a person
        raise
    except (HopsmlError, OSError) as error:  # the experiment's result counts for more
        why = f"the model repository could not be used ({redacted(one_line(str(error)))})"
        # No answer is kept: the person is asked again when the experiment is resumed.
        return case.refused(why if said is None else f"{why}, although {said}")
    return case.promoted(record, decision, said)


@dataclass(frozen=True, slots=True)
class _Case:
    """A winner, and whom it was compared with.

    Args:
        plan: The experiment.
        paths: Its paths.
        model: The model's name.
        winner: The best trial of the search.
        confirmation: What came of evaluating it and the champion.
        champion: The best version of the model, or None.
    """

    plan: Plan
    paths: ExperimentPaths
    model: str
    winner: TrialResult
    confirmation: Confirmation
    champion: Champion | None

    @property
    def _facts(self) -> dict[str, Any]:
        beats = self.confirmation.beats_champion
        return {
            "champion": None if self.champion is None else self.champion.version,
            "probability": None if beats is None else beats.probability,
            "optimistic": self.confirmation.optimistic,
            "corrected": self.confirmation.mean,
        }

    def refused(self, why: str, asked: str | None = None) -> Promotion:
        """A refusal."""
        return Promotion(self.model, False, why, asked=asked, **self._facts)

    def promoted(
        self, record: ModelRecord, decision: Decision, asked: str | None = None
    ) -> Promotion:
        """A promotion to a version; one of an earlier run may be older than the champion."""
        facts, why = self._facts, decision.why
        if not decision.promotes:
            facts |= {"champion": None, "probability": None}
            why = "it was promoted before its experiment was resumed"
        facts |= {"version": record.version, "trial": record.origin.trial}
        return Promotion(self.model, True, why, asked=asked, **facts)

    def keep(self) -> None:
        """Write into the champion's record what its evaluations say."""
        judged = self.confirmation.champion
        if self.champion is not None and judged is not None:
            entry = _confirmed(self.confirmation, judged, self.paths.id, None)
            keep_confirmed(self.plan.options.project, self.model, self.champion.version, entry)

    def overtaken(self) -> str | None:
        """Why the champion is not the best version any more, or None."""
        try:
            now = find_champion(self.plan, self.paths.id, self.winner.params)
        except InvalidArgumentError as error:
            return f"meanwhile another version is the best one ({redacted(str(error))})"
        before = self.champion
        if now is None:
            return None if before is None else "meanwhile no version is the model's best one"
        if before is None or now.version != before.version or not has_params(now, before.params):
            return f"meanwhile version {now.version} is the model's best one"
        return None

    def check(self, version: int) -> None:
        """Raise an error if the winner has not been compared with the best version.

        This process has claimed a version. So a search that promotes at the same time finds that
        claim, or its claim or its version is found here.
        """
        # Claims first: what was written meanwhile has its record before its claim is gone.
        other = other_writer(self.plan.options.project, self.model, version)
        if other is None:
            overtaken = self.overtaken()
        else:
            overtaken = f"meanwhile version {other[0]} is being written by {other[1]}"
        self.keep()  # afterwards: it may change which version is the best
        if overtaken is not None:
            raise _OvertakenError(overtaken)

    def asked(
        self, decision: Decision, ask: Callable[[Promotion], Approval]
    ) -> Promotion | Approval:
        """Ask a person, which may take days; return what they said, or the refusal it is."""
        overtaken = self.overtaken()
        if overtaken is not None:  # they would be asked in vain
            self.keep()
            return self.refused(overtaken)
        proposed = Promotion(self.model, False, decision.why, unanswered=True, **self._facts)
        answer = ask(proposed)
        if answer.approved:
            return answer
        with suppress(HopsmlError, OSError):  # the answer counts for more
            self.keep()
        return answer.of(proposed)


def _with_model(
    exporter: TrialExporter, winner: TrialResult, confirmation: Confirmation
) -> TrialResult | None:
    """The trial whose model is exported: not the best one, which would be luck once more."""
    again = {result.number: result for result in confirmation.results if result.succeeded}
    numbers = confirmation.winner.trials
    trials = [*(again[number] for number in numbers if number in again), winner]
    return next((trial for trial in trials if exporter.has_model(trial)), None)


def _confirmed(
    confirmation: Confirmation, judged: Judged, experiment_id: str, optimistic: float | None
) -> dict[str, dict[str, Any]]:
    """What the evaluations say of a version, for its record; nothing of fewer than two."""
    if judged.estimate is None:
        return {}
    return {
        confirmation.key: {
            "direction": confirmation.direction.value,
            "mean": judged.estimate.mean,
            "interval": [judged.estimate.low, judged.estimate.high],
            "level": LEVEL,
            "metrics": list(judged.metrics),
            "seeds": list(confirmation.seeds),
            "optimistic": optimistic,
            "experiment": experiment_id,
        }
    }
