"""Makes the winner of a search a version of a model, if it is better than the best one."""

from __future__ import annotations

from typing import Any

from hopsml_flows.errors import HopsmlError
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
) -> Promotion:
    """Decide about the winner, and export its model if it is promoted.

    Args:
        plan: The experiment; it names a model.
        paths: The experiment's paths.
        winner: The best trial of the search.
        confirmation: What came of evaluating it and the champion.
        champion: The best version of the model; None if there is none.
        refusal: Why it is not known which one that is, or None.
    """
    name = plan.options.only_if_better
    assert name is not None
    project = plan.options.project
    beats = confirmation.beats_champion
    told: dict[str, Any] = {
        "champion": None if champion is None else champion.version,
        "probability": None if beats is None else beats.probability,
        "optimistic": confirmation.optimistic,
        "corrected": confirmation.mean,
    }
    decision = Decision(False, refusal) if refusal is not None else decide(confirmation, champion)

    def keep() -> None:
        """Write into the champion's record what its evaluations say."""
        if champion is not None and confirmation.champion is not None:
            entry = _confirmed(confirmation, confirmation.champion, paths.id, None)
            keep_confirmed(project, name, champion.version, entry)

    def check(version: int) -> None:
        """Raise an error if the winner has not been compared with the best version."""
        overtaken = _overtaken(plan, paths, winner, champion, version)
        keep()  # afterwards: it may change which version is the best
        if overtaken is not None:
            raise _OvertakenError(overtaken)

    try:
        own = own_version(plan, paths.id, winner.params)
        if own is not None:  # the driver died between the export and its record
            told |= {"version": own.version, "trial": own.origin.trial}
            return Promotion(name, True, _why_promoted(decision, told), **told)
        exporter = TrialExporter(project, paths.id, plan.optimization_key)
        trial = _with_model(exporter, winner, confirmation) if decision.promotes else None
        if trial is None:
            keep()
            why = decision.why if not decision.promotes else _NO_MODEL
            return Promotion(name, False, why, **told)
        entry = _confirmed(confirmation, confirmation.winner, paths.id, confirmation.optimistic)
        record = exporter.export(trial, name, confirmed=entry, check=check)
    except _OvertakenError as error:
        return Promotion(name, False, str(error), **told)
    except (HopsmlError, OSError) as error:  # the experiment's result counts for more
        why = f"the model repository could not be used ({redacted(one_line(str(error)))})"
        return Promotion(name, False, why, **told)
    return Promotion(name, True, decision.why, version=record.version, trial=trial.number, **told)


def _why_promoted(decision: Decision, told: dict[str, Any]) -> str:
    """Why a winner was promoted that is a version already; a later champion is left out."""
    if decision.promotes:
        return decision.why
    told |= {"champion": None, "probability": None}
    return "it was promoted before its experiment was resumed"


def _overtaken(
    plan: Plan,
    paths: ExperimentPaths,
    winner: TrialResult,
    champion: Champion | None,
    version: int,
) -> str | None:
    """Why the champion may not be the best version any more, or None.

    This process has claimed a version. So each search that promotes at the same time finds that
    claim, or its own version is found here.
    """
    assert plan.options.only_if_better is not None
    # Claims first: a version that was written meanwhile has its record before its claim is gone.
    other = other_writer(plan.options.project, plan.options.only_if_better, version)
    if other is not None:
        number, who = other
        return f"meanwhile version {number} is being written by {who}"
    now = find_champion(plan, paths.id, winner.params)
    if now is None:
        return None if champion is None else "meanwhile no version is the model's best one"
    if champion is None or now.version != champion.version or not has_params(now, champion.params):
        return f"meanwhile version {now.version} is the model's best one"
    return None


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
