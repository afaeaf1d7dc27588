"""The training of all contenders: it sleeps, and reports a learning curve.

How fast a trial is and how good it becomes follow from its one hyperparameter, so that contenders
that draw other values face the same kind of trials.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

REPORTS = 20
STEP_SECONDS = 0.1
SIGMA = 0.5


def step_seconds(x: float) -> float:
    """Seconds per step: lognormal with median ``STEP_SECONDS`` and sigma 0.5 over all values."""
    return STEP_SECONDS * random.Random(f"speed {x!r}").lognormvariate(0.0, SIGMA)


def quality(x: float) -> float:
    """The metric that a trial tends to; the best is 1, at 0.7."""
    return 1.0 - abs(x - 0.7) ** 0.5


def curve(x: float, step: int) -> float:
    """The metric at a step: a curve that saturates, with a little noise."""
    noise = random.Random(f"noise {x!r} {step}").gauss(0.0, 0.01)
    return quality(x) * (1.0 - math.exp(-(step + 1) / 6)) + noise


def train(x: float, report: Callable[[float, int], None]) -> float:
    """Train: sleep, and report after each step.

    Args:
        x: The hyperparameter, in [0, 1].
        report: Called with the metric and the step; it raises what stops the training.
    """
    seconds = step_seconds(x)
    for step in range(REPORTS):
        time.sleep(seconds)
        report(curve(x, step), step)
    return curve(x, REPORTS - 1)
