"""HopsML's differential evolution, written anew from what is known of it.

DE/rand/1/bin with a population of 6, F 0.5, CR 0.7, a uniform start, and donors clipped to the
bounds. It has no log scale, and no gene that always crosses over; whole generations are evaluated;
categories, of which HopsML allows two, are places in their list. A repeat counts as an evaluation:
generations are what HopsML's user orders, and a repeat takes a place in one.
"""

from __future__ import annotations

import numpy as np
from optimization.evaluation import Evaluator
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Float, SearchSpace

_POPULATION = 6
_F = 0.5
_CR = 0.7


def hopsml_rule(problem: Problem, budget: int, seed: int, evaluate: Evaluator) -> None:
    """Minimise until the evaluator ends it; ``budget`` changes nothing."""
    rng = np.random.default_rng(seed)
    low, high, whole = _bounds(problem.space)

    def value(vector: np.ndarray) -> float:
        return evaluate(_params(problem.space, vector))

    people = np.where(
        whole,
        rng.integers(low.astype(int), high.astype(int), (_POPULATION, len(low)), endpoint=True),
        rng.uniform(low, high, (_POPULATION, len(low))),
    )
    values = np.array([value(person) for person in people])
    for _ in range(budget):
        trials = np.array([_trial(rng, people, i, low, high, whole) for i in range(_POPULATION)])
        found = np.array([value(trial) for trial in trials])
        better = found < values
        people = np.where(better[:, None], trials, people)
        values = np.where(better, found, values)


def _trial(
    rng: np.random.Generator,
    people: np.ndarray,
    parent: int,
    low: np.ndarray,
    high: np.ndarray,
    whole: np.ndarray,
) -> np.ndarray:
    others = [i for i in range(len(people)) if i != parent]
    a, b, c = people[rng.choice(others, 3, replace=False)]
    donor = np.clip(a + _F * (b - c), low, high)
    donor = np.where(whole, np.rint(donor), donor)
    crosses = rng.uniform(size=len(low)) <= _CR
    return np.where(crosses, donor, people[parent])


def _bounds(space: SearchSpace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bounds = [
        (0, len(domain.choices) - 1)
        if isinstance(domain, Categorical)
        else (domain.low, domain.high)
        for domain in space.values()
    ]
    low, high = np.array(bounds, float).T
    return low, high, np.array([not isinstance(domain, Float) for domain in space.values()])


def _params(space: SearchSpace, vector: np.ndarray) -> dict:
    params = {}
    for (name, domain), x in zip(space.items(), vector, strict=True):
        if isinstance(domain, Categorical):
            params[name] = domain.choices[round(x)]
        else:
            params[name] = float(x) if isinstance(domain, Float) else round(x)
    return params
