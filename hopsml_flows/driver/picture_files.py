"""Pictures of a search that has ended, on storage."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.findings_file import findings_json
from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentFiles, ExperimentPaths
from hopsml_flows.storage.retries import replace_file
from hopsml_flows.tracking.pictures import (
    effects_picture,
    learning_curves,
    parallel_coordinates,
    pictures,
)
from hopsml_flows.trials import TrialResult, best_first
from hopsml_flows.trials.learning_curves import LearningCurve

__all__ = ["draw_pictures"]

_logger = logging.getLogger(__name__)


def draw_pictures(
    plan: Plan,
    paths: ExperimentPaths,
    results: list[TrialResult],
    curves: Sequence[LearningCurve] = (),
    findings: Findings | None = None,
) -> dict[str, bytes]:
    """Draw the results of an experiment that has generations, or whose trials report.

    A picture that cannot be drawn or written is left out: the results are on storage already.

    Args:
        plan: The experiment.
        paths: Its paths.
        results: The results of its trials.
        curves: What its trials reported, if it is an asynchronous search.
        findings: What they mean together, of an ablation study; they are written as JSON, too.

    Returns:
        File name to PNG; empty without generations and without reports.
    """
    generations: dict[int, list[TrialResult]] = {}
    for result in results:
        if result.generation is not None:
            generations.setdefault(result.generation, []).append(result)
    project = plan.options.project
    if findings is None and (plan.direction is None or not (generations or plan.is_asynchronous)):
        return {}
    try:
        if findings is not None:
            content = json.dumps(findings_json(findings), indent=2, allow_nan=False).encode()
            replace_file(project, paths.effects, content)
            picture = effects_picture(findings.effects, metric=findings.metric)
            drawn = {ExperimentFiles.EFFECTS_PICTURE: picture}
        elif plan.is_asynchronous:
            drawn = _of_asynchronous_search(plan, results, curves)
        else:
            drawn = pictures(
                [generations[number] for number in sorted(generations)],
                plan.domains,
                direction=plan.optimized,
                metric=plan.optimization_key or "metric",
            )
        for name, content in drawn.items():
            replace_file(project, paths.picture(name), content)
    except Exception:  # of a library that draws, or of storage
        _logger.warning("the pictures of %s could not be made", paths.id, exc_info=True)
        return {}
    return drawn


def _of_asynchronous_search(
    plan: Plan, results: list[TrialResult], curves: Sequence[LearningCurve]
) -> dict[str, bytes]:
    """The learning curves, and all trials over their hyperparameters."""
    direction, metric = plan.optimized, plan.optimization_key or "metric"
    drawn: dict[str, bytes] = {}
    if any(curve.count for curve in curves):
        first = next(iter(best_first(results, direction)), None)
        best = first.number if first is not None and first.metric is not None else None
        drawn[ExperimentFiles.CURVES_PICTURE] = learning_curves(
            curves, direction=direction, metric=metric, best=best
        )
    if any(result.params for result in results):
        drawn[ExperimentFiles.PARALLEL_PICTURE] = parallel_coordinates(
            results, plan.domains, direction=direction, metric=metric
        )
    return drawn
