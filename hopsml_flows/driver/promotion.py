"""Makes the winner of a search a version of a model, if it is better than the best one."""

from __future__ import annotations

from typing import Any

from hopsml_flows.errors import HopsmlError
from hopsml_flows.models.repository import keep_confirmed, versions_of
from hopsml_flows.models.result_export import TrialExporter
from hopsml_flows.plan.champion import find_champion, is_of
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
)

__all__ = ["promote"]


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
    try:
        if decision.promotes:
            own = [
                r for r in versions_of(project, name).records if is_of(r, paths.id, winner.params)
            ]
            if own:  # the driver died between the export and its record
                told |= {"version": own[-1].version, "trial": own[-1].origin.trial}
                return Promotion(name, True, decision.why, **told)
            now = find_champion(plan, paths.id, winner.params)
            if now != champion:
                there = "no version" if now is None else f"version {now.version}"
                decision = Decision(False, f"meanwhile {there} is the model's best one")
        if champion is not None and confirmation.champion is not None:
            entry = _confirmed(confirmation, confirmation.champion, paths.id, None)
            keep_confirmed(project, name, champion.version, entry)
        if not decision.promotes:
            return Promotion(name, False, decision.why, **told)
        exporter = TrialExporter(project, paths.id, plan.optimization_key)
        trial = _with_model(exporter, winner, confirmation)
        if trial is None:
            why = "it returned no path of a model, and not one of its files is certain to be one"
            return Promotion(name, False, why, **told)
        entry = _confirmed(confirmation, confirmation.winner, paths.id, confirmation.optimistic)
        record = exporter.export(trial, name, confirmed=entry)
    except (HopsmlError, OSError) as error:  # the experiment's result counts for more
        why = f"the model repository could not be used ({redacted(one_line(str(error)))})"
        return Promotion(name, False, why, **told)
    return Promotion(name, True, decision.why, version=record.version, trial=trial.number, **told)


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
