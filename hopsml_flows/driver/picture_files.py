"""Pictures of a search that has ended, on storage."""

from __future__ import annotations

import logging

from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.storage.retries import replace_file
from hopsml_flows.tracking.pictures import pictures
from hopsml_flows.trials import TrialResult

__all__ = ["draw_pictures"]

_logger = logging.getLogger(__name__)


def draw_pictures(
    plan: Plan, paths: ExperimentPaths, results: list[TrialResult]
) -> dict[str, bytes]:
    """Draw the results of an experiment that has generations.

    A picture that cannot be drawn or written is left out: the results are on storage already.

    Args:
        plan: The experiment.
        paths: Its paths.
        results: The results of its trials.

    Returns:
        File name to PNG; empty without generations.
    """
    generations: dict[int, list[TrialResult]] = {}
    for result in results:
        if result.generation is not None:
            generations.setdefault(result.generation, []).append(result)
    if plan.direction is None or not generations:
        return {}
    project = plan.options.project
    try:
        drawn = pictures(
            [generations[number] for number in sorted(generations)],
            plan.domains,
            direction=plan.direction,
            metric=plan.optimization_key or "metric",
        )
        for name, content in drawn.items():
            replace_file(project, paths.picture(name), content)
    except Exception:  # of a library that draws, or of storage
        _logger.warning("the pictures of %s could not be made", paths.id, exc_info=True)
        return {}
    return drawn
