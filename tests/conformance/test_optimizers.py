"""Every optimizer of ``hopsml_flows.search`` passes the suite.

A new optimizer is one entry of ``OPTIMIZERS``: the space it searches, and a function from a
direction and a seed to a fresh optimizer that ends by itself and proposes no configuration twice.
"""

from __future__ import annotations

import pytest

import hopsml_flows.search
from hopsml_flows.search import (
    BaseSearch,
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    GridSearch,
    ListSearch,
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
}


# The fast run has each strategy once, and the default one with both ways of updating.
SLOW = {
    f"differential evolution, {strategy}, {Updating.IMMEDIATE}"
    for strategy in Strategy
    if strategy is not Strategy.ADAPTIVE
}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OPTIMIZERS
    ]
)
def entry(request):
    return OPTIMIZERS[request.param]


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
    assert kinds == {type(build(Direction.MAX, 0)) for _, build in OPTIMIZERS.values()}
