"""Several evaluations at once with a virtual clock: asked when a slot is free, told when one ends."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from optimization.evaluation import Evaluator
from optimization.problem import Problem

SIGMA = 0.5
"""Of the lognormal durations, whose median is 1."""


class Asked(Protocol):
    """An optimizer that is asked for one configuration at a time and told results in any order."""

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return what to tell the result by, and a configuration."""

    def tell(self, handle: Any, value: float) -> None:
        """Take in the value of a configuration."""


Made = Callable[[Problem, int, int, int], Asked]
"""Makes an optimizer for a problem, a budget, a seed and a number of evaluations at once."""


def run(
    problem: Problem, budget: int, seed: int, evaluate: Evaluator, *, make: Made, running: int
) -> None:
    """Keep ``running`` evaluations running until the budget is spent.

    The durations are the same for everybody: they belong to (seed, budget) and the order of asking.

    Args:
        problem: What is minimised.
        budget: Evaluations that there are.
        seed: Of the optimizer and of the durations.
        evaluate: Evaluates, and keeps the values.
        make: Makes the optimizer.
        running: Evaluations at once; with 1 each is told before the next is asked for.
    """
    search = make(problem, budget, seed, running)
    durations = np.random.default_rng([seed, budget]).lognormal(0.0, SIGMA, budget)
    open_: list[tuple[float, int, Any, float]] = []
    now = 0.0
    for number, duration in enumerate(durations.tolist()):
        if len(open_) == running:
            now, _, handle, value = heapq.heappop(open_)
            search.tell(handle, value)
        handle, params = search.ask()
        heapq.heappush(open_, (now + duration, number, handle, evaluate(params)))
