"""Several workers with a virtual clock: trials take time, and nobody waits for it."""

from __future__ import annotations

import heapq

import numpy as np
from optimization import own
from optimization.evaluation import Evaluator
from optimization.problem import Problem

WORKERS = 8
SIGMA = 0.5
"""Of the lognormal durations, whose median is 1."""


def on_workers(
    problem: Problem,
    budget: int,
    seed: int,
    evaluate: Evaluator,
    *,
    population: int,
    updating: str,
) -> dict[str, float]:
    """Run this project's search on workers.

    Returns:
        ``makespan`` when the last trial is done, ``even`` the sum of all durations divided by the
        workers, ``limit`` that or the longest trial, and ``queue`` the makespan of the same
        durations if no trial ever waited for another.
    """
    search = own.differential_evolution(
        problem, budget, seed, population=population, updating=updating
    )
    durations = np.random.default_rng([seed, budget]).lognormal(0.0, SIGMA, budget).tolist()
    running: list[tuple[float, int, float]] = []
    started, now = 0, 0.0
    while True:
        for proposal in search.ask(min(WORKERS - len(running), budget - started)):
            ends = now + durations[started]
            heapq.heappush(running, (ends, proposal.id, evaluate(proposal.params)))
            started += 1
        if not running:
            break
        now, number, value = heapq.heappop(running)
        search.tell(number, value)
    if started < budget and not search.finished:
        raise RuntimeError(f"the search stopped after {started} of {budget} trials")
    return _figures(durations[:started], now)


def _figures(durations: list[float], makespan: float) -> dict[str, float]:
    even = sum(durations) / WORKERS
    free = [0.0] * WORKERS
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return {
        "makespan": makespan,
        "even": even,
        "limit": max(even, max(durations)),
        "queue": max(free),
    }
