"""Evaluations at once, with a virtual clock: a free slot asks, an evaluation that ends is told."""

from __future__ import annotations

import heapq
from typing import Any, Protocol

import numpy as np
from optimization import asked
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


def at_once(
    problem: Problem, budget: int, seed: int, evaluate: Evaluator, *, optimizer: str, running: int
) -> None:
    """Keep ``running`` evaluations running until the budget is spent.

    The durations are the same for everybody: they belong to (seed, budget) and the order of asking.

    Args:
        problem: What is minimised.
        budget: Evaluations that there are.
        seed: Of the optimizer and of the durations.
        evaluate: Evaluates, and keeps the values.
        optimizer: Name of a function of :mod:`optimization.asked`.
        running: Evaluations at once; with 1 each is told before the next is asked for.
    """
    search: Asked = getattr(asked, optimizer)(problem, budget, seed, running)
    durations = np.random.default_rng([seed, budget]).lognormal(0.0, SIGMA, budget)
    open_: list[tuple[float, int, Any, float]] = []
    now = 0.0
    for number, duration in enumerate(durations.tolist()):
        if len(open_) == running:
            now, _, handle, value = heapq.heappop(open_)
            search.tell(handle, value)
        handle, params = search.ask()
        heapq.heappush(open_, (now + duration, number, handle, evaluate(params)))
