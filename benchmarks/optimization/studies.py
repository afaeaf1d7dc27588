"""Beside the comparison: the cost of a proposal, and what asynchrony saves and costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optimization import own, settings, suite
from optimization.evaluation import Run
from optimization.scoring import Mean, Scale
from optimization.summary import Check

ASK_BUDGET = 1000
ASK_PROBLEMS = ("ackley", "network")
ASK_TARGET_MS = 10.0

ASYNC_BUDGET = 100
WALL_TARGET = 1.1
REGRET_TARGET = 1.15


@dataclass(frozen=True)
class AskCost:
    """Milliseconds of processor time for asking and telling, a proposal.

    Args:
        problem: On which problem.
        mean: Of all proposals.
        last: Of the last hundred.
        most: Of the slowest.
    """

    problem: str
    mean: float
    last: float
    most: float


def ask_costs() -> list[AskCost]:
    """What this project's default costs on some problems."""
    return [_ask_cost(name) for name in ASK_PROBLEMS]


def _ask_cost(name: str) -> AskCost:
    problem = suite.problem(name)
    size = settings.population(ASK_BUDGET, settings.OURS)
    search = own.differential_evolution(problem, ASK_BUDGET, 0, population=size)
    spent: list[float] = []
    while not search.finished and len(spent) < ASK_BUDGET:
        begun = time.process_time()
        (proposal,) = search.ask(1)
        asked = time.process_time()
        value = problem.function(proposal.params)
        evaluated = time.process_time()
        search.tell(proposal.id, value)
        spent.append(1000 * (time.process_time() - evaluated + asked - begun))
    costs = np.array(spent)
    return AskCost(name, float(costs.mean()), float(costs[-100:].mean()), float(costs.max()))


@dataclass(frozen=True)
class Asynchrony:
    """One way of updating, on workers with a virtual clock.

    Args:
        wall: Makespan, divided by the sum of durations by workers.
        utilisation: What no schedule can beat (that, or the longest trial), divided by the
            makespan.
        queue: ``wall`` if no trial ever waited for another.
        regret: Normalised, after all trials.
    """

    wall: Mean
    utilisation: Mean
    queue: Mean
    regret: Mean

    @classmethod
    def of(cls, runs: Mapping[str, Sequence[Run]], scales: Mapping[str, Scale]) -> Asynchrony:
        """From runs on workers.

        Args:
            runs: Problem to a run a seed.
            scales: What their values are worth.
        """

        def mean(upper: str, lower: str) -> Mean:
            return Mean.of(
                np.array(
                    [[r.figures[upper] / r.figures[lower] for r in row] for row in runs.values()]
                )
            )

        regrets = [
            scales[name].regret(np.array([min(run.values) for run in row]), ASYNC_BUDGET)
            for name, row in runs.items()
        ]
        return cls(
            wall=mean("makespan", "even"),
            utilisation=mean("limit", "makespan"),
            queue=mean("queue", "even"),
            regret=Mean.of(np.array(regrets)),
        )


def checks(costs: Sequence[AskCost], found: Mapping[str, Asynchrony]) -> list[Check]:
    """The targets that the studies judge."""
    judged = [
        Check(
            f"ms a proposal at {ASK_BUDGET:,} evaluations, {cost.problem}", cost.last, ASK_TARGET_MS
        )
        for cost in costs
    ]
    if found:
        immediate, deferred = found["immediate"], found["deferred"]
        ratio = immediate.regret.value / deferred.regret.value
        judged += [
            Check(
                "immediate: wall time ÷ (sum of durations ÷ workers)",
                immediate.wall.value,
                WALL_TARGET,
            ),
            Check("immediate: regret ÷ deferred", ratio, REGRET_TARGET),
        ]
    return judged
