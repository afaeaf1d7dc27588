"""Every optimizer of ``hopsml_flows.search`` passes the suite.

A new optimizer is one entry of ``OPTIMIZERS``: the space it searches, and a function from a
direction and a seed to a fresh optimizer that ends by itself and proposes no configuration twice.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import hopsml_flows.search
from hopsml_flows.search import (
    Asha,
    AsynchronousEvolution,
    BaseSearch,
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    GridSearch,
    ListSearch,
    OptunaSearch,
    RandomSearch,
    SearchSpace,
    Strategy,
    Updating,
)
from hopsml_flows.testing import OptimizerConformance

LISTED = SearchSpace({"a": Categorical([1, 2, 3]), "b": Categorical(["x", "y", "z"])})
GRID = SearchSpace({"rate": Categorical([0.1, 0.2]), "units": Categorical([1, 2, 3])})
SPACE = SearchSpace({"rate": Float(1e-4, 1e-1, log=True), "units": [2, 9], "opt": ["sgd", "adam"]})
FIXED = SearchSpace(
    {"opt": ["adam"], "rate": Float(1e-4, 1e-1, log=True), "units": [3, 3], "decay": [0.1, 0.1]}
)
FINITE = SearchSpace({"units": [1, 4], "opt": ["sgd", "adam"]})


def random(space, samples):
    return space, lambda direction, seed: RandomSearch(
        space, samples=samples, direction=direction, seed=seed
    )


def evolution(space, **settings):
    return space, lambda direction, seed: DifferentialEvolution(
        space, direction=direction, seed=seed, **settings
    )


def asha(space, num_trials, **settings):
    return space, lambda direction, seed: Asha(
        space, num_trials=num_trials, direction=direction, seed=seed, **settings
    )


def asynchronous(space, num_trials, **settings):
    return space, lambda direction, seed: AsynchronousEvolution(
        space, num_trials=num_trials, direction=direction, seed=seed, **settings
    )


def optuna(space, sampler, num_trials):
    return space, lambda direction, seed: OptunaSearch(
        space, sampler=sampler, num_trials=num_trials, direction=direction, seed=seed
    )


OPTIMIZERS = {
    "list": (
        LISTED,
        lambda direction, seed: ListSearch(
            [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}], direction=direction
        ),
    ),
    "grid": (
        GRID,
        lambda direction, seed: GridSearch(
            {"rate": [0.1, 0.2], "units": [1, 2, 3]}, direction=direction
        ),
    ),
    "random": random(SPACE, 12),
    "random over a whole finite space": random(FINITE, 99),
    **{
        f"differential evolution, {strategy}, {updating}": evolution(
            SPACE, strategy=strategy, updating=updating
        )
        for strategy in Strategy
        for updating in Updating
    },
    "differential evolution over a whole finite space": evolution(FINITE, generations=9),
    "differential evolution, immediate, over a whole finite space": evolution(
        FINITE, generations=9, updating="immediate"
    ),
    "random with fixed values": random(FIXED, 12),
    "differential evolution with fixed values": evolution(FIXED),
    "asha": asha(SPACE, 25, reduction_factor=2, max_budget=4),
    "asha with fixed values": asha(FIXED, 13),
    "asha over a whole finite space": asha(FINITE, 99, reduction_factor=2, max_budget=8),
    "asha without an end over a whole finite space": asha(FINITE, None, max_budget=3),
    "asha on reports": asha(SPACE, 25, reduction_factor=2, max_budget=4, on_reports=True),
    "asha on reports over a whole finite space": asha(
        FINITE, 99, reduction_factor=2, max_budget=4, on_reports=True
    ),
    "asynchronous evolution": asynchronous(SPACE, 30),
    "asynchronous evolution of few trials": asynchronous(SPACE, 5, workers=4),
    "asynchronous evolution with fixed values": asynchronous(FIXED, 20, workers=3),
    "asynchronous evolution over a whole finite space": asynchronous(FINITE, 99),
}
OPTUNA = {
    "tpe": optuna(SPACE, "tpe", 16),
    "tpe with fixed values": optuna(FIXED, "tpe", 13),
    "tpe over a whole finite space": optuna(FINITE, "tpe", 99),
    "cmaes": optuna(SPACE, "cmaes", 16),
    "cmaes over a whole finite space": optuna(FINITE, "cmaes", 99),
    "gp": optuna(SPACE, "gp", 13),
}
"""Those of the extra ``optuna``; "gp" needs PyTorch, too."""

NEEDED = {"gp": ("torch", "scipy"), "cmaes": ("cmaes",), "tpe": ()}


# The fast run has each strategy once, and the default one with both ways of updating.
SLOW = {
    f"differential evolution, {strategy}, {Updating.IMMEDIATE}"
    for strategy in Strategy
    if strategy is not Strategy.ADAPTIVE
}


def marks(name):
    if name in SLOW:
        yield pytest.mark.slow
    if name in OPTUNA:
        sampler = name.split()[0]
        missing = [one for one in ("optuna", *NEEDED[sampler]) if find_spec(one) is None]
        yield pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")
        if sampler == "gp":
            yield from (pytest.mark.torch, pytest.mark.slow)


@pytest.fixture(
    params=[pytest.param(name, marks=tuple(marks(name))) for name in (*OPTIMIZERS, *OPTUNA)]
)
def entry(request):
    return {**OPTIMIZERS, **OPTUNA}[request.param]


class TestOptimizers(OptimizerConformance):
    @pytest.fixture
    def make_optimizer(self, entry):
        return entry[1]

    @pytest.fixture
    def space(self, entry):
        return entry[0]


def test_every_search_class_is_in_the_suite():
    public = (getattr(hopsml_flows.search, name) for name in hopsml_flows.search.__all__)
    kinds = {
        kind
        for kind in public
        if isinstance(kind, type) and issubclass(kind, BaseSearch) and kind is not BaseSearch
    }
    built = {type(build(Direction.MAX, 0)) for _, build in OPTIMIZERS.values()}
    assert kinds == built | {OptunaSearch}
