"""What every optimizer of ``hopsml_flows.search`` must do, whatever its algorithm.

A new optimizer is one entry of ``OPTIMIZERS``: a function from a direction and a seed to a fresh
optimizer that ends by itself and proposes no configuration twice.
"""

from __future__ import annotations

import functools
import json
import math
import zlib

import pytest

import hopsml_flows.search
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import (
    BaseSearch,
    DifferentialEvolution,
    Direction,
    Float,
    GridSearch,
    ListSearch,
    Optimizer,
    RandomSearch,
    SearchSpace,
    Strategy,
    Updating,
)

SPACE = SearchSpace({"rate": Float(1e-4, 1e-1, log=True), "units": [2, 9], "opt": ["sgd", "adam"]})
FIXED = SearchSpace(
    {"opt": ["adam"], "rate": Float(1e-4, 1e-1, log=True), "units": [3, 3], "decay": [0.1, 0.1]}
)
FINITE = SearchSpace({"units": [1, 4], "opt": ["sgd", "adam"]})


def evolution(space, direction, seed, **settings):
    return DifferentialEvolution(space, direction=direction, seed=seed, **settings)


OPTIMIZERS = {
    "list": lambda direction, seed: ListSearch(
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}], direction=direction
    ),
    "grid": lambda direction, seed: GridSearch(
        {"rate": [0.1, 0.2], "units": [1, 2, 3]}, direction=direction
    ),
    "random": lambda direction, seed: RandomSearch(
        SPACE, samples=12, direction=direction, seed=seed
    ),
    "random over a whole finite space": lambda direction, seed: RandomSearch(
        FINITE, samples=99, direction=direction, seed=seed
    ),
    **{
        f"differential evolution, {strategy}, {updating}": functools.partial(
            evolution, SPACE, strategy=strategy, updating=updating
        )
        for strategy in Strategy
        for updating in Updating
    },
    "differential evolution over a whole finite space": functools.partial(
        evolution, FINITE, generations=9
    ),
    "differential evolution, immediate, over a whole finite space": functools.partial(
        evolution, FINITE, generations=9, updating="immediate"
    ),
    "random with fixed values": lambda direction, seed: RandomSearch(
        FIXED, samples=12, direction=direction, seed=seed
    ),
    "differential evolution with fixed values": functools.partial(evolution, FIXED),
}


@pytest.fixture(params=OPTIMIZERS)
def make(request):
    factory = OPTIMIZERS[request.param]

    def build(direction=Direction.MAX, seed=7):
        return factory(direction, seed)

    return build


def metric(params):
    """A number that depends on the parameters alone, the same on every machine."""
    return zlib.crc32(json.dumps(params).encode()) / 2**32 - 0.5


def run(optimizer, *, parallel=2, asked=None, stop_after=None, fail=lambda proposal: False):
    """Carry a search out: ask for what is free, tell in the order of asking."""
    proposals, running = [], []
    while not optimizer.finished:
        fresh = optimizer.ask(parallel - len(running))
        proposals += fresh
        running += fresh
        assert running, "it is neither finished nor is anything running"
        proposal = running.pop(0)
        if fail(proposal):
            optimizer.tell(proposal.id, failure="lost")
        else:
            optimizer.tell(proposal.id, metric(proposal.params))
        if stop_after is not None and len(proposals) >= stop_after:
            break
    return proposals


def test_every_search_class_is_in_the_suite():
    kinds = {
        kind
        for kind in vars(hopsml_flows.search).values()
        if isinstance(kind, type) and issubclass(kind, BaseSearch) and kind is not BaseSearch
    }
    assert kinds == {type(build(Direction.MAX, 0)) for build in OPTIMIZERS.values()}


def test_it_is_an_optimizer(make):
    assert isinstance(make(), Optimizer)


def test_a_fresh_one_has_no_best_and_is_not_finished(make):
    optimizer = make()
    assert optimizer.best is None
    assert not optimizer.finished


def test_it_runs_to_its_end_and_then_proposes_nothing(make):
    optimizer = make()
    proposals = run(optimizer)
    assert proposals
    assert optimizer.finished
    assert optimizer.ask() == []
    assert optimizer.finished


def test_the_total_is_how_many_proposals_there_are(make):
    optimizer = make()
    total = optimizer.total
    proposals = run(optimizer)
    assert total in (None, len(proposals))


def test_it_gives_no_more_than_asked_for(make):
    optimizer = make()
    assert optimizer.ask(0) == []
    assert len(optimizer.ask(2)) <= 2


def test_ids_count_from_one(make):
    proposals = run(make(), parallel=3)
    assert [proposal.id for proposal in proposals] == list(range(1, len(proposals) + 1))


def test_no_configuration_is_proposed_twice(make):
    texts = [json.dumps(proposal.params) for proposal in run(make())]
    assert len(set(texts)) == len(texts)


def test_parameters_are_json_values_under_the_same_names(make):
    proposals = run(make())
    for proposal in proposals:
        assert json.loads(json.dumps(proposal.params)) == proposal.params
        assert list(proposal.params) == list(proposals[0].params)


def test_it_is_unfinished_while_a_proposal_is_untold(make):
    optimizer = make()
    running = optimizer.ask()
    while True:
        for proposal in running[1:]:
            optimizer.tell(proposal.id, metric(proposal.params))
        more = optimizer.ask()
        running = [running[0], *more]
        if not more:
            break
    assert not optimizer.finished
    optimizer.tell(running[0].id, metric(running[0].params))
    assert optimizer.finished or optimizer.ask()


def test_a_proposal_is_told_only_once_and_only_when_asked_for(make):
    optimizer = make()
    (proposal,) = optimizer.ask(1)
    with pytest.raises(InvalidArgumentError):
        optimizer.tell(proposal.id + 1, 0.5)
    optimizer.tell(proposal.id, 0.5)
    with pytest.raises(InvalidArgumentError):
        optimizer.tell(proposal.id, 0.5)


def test_the_same_seed_and_tells_give_the_same_asks(make):
    assert run(make(seed=3)) == run(make(seed=3))


def test_the_best_is_the_best_value_told(make):
    for direction, best in ((Direction.MAX, max), (Direction.MIN, min)):
        optimizer = make(direction)
        proposals = run(optimizer)
        values = {proposal.id: metric(proposal.params) for proposal in proposals}
        assert optimizer.best.value == best(values.values())
        assert values[optimizer.best.proposal.id] == optimizer.best.value


@pytest.mark.parametrize("worst", [-1e300, math.nan, math.inf, -math.inf])
def test_a_failure_is_never_the_best(make, worst):
    optimizer = make()
    first, second = optimizer.ask(2)
    if math.isfinite(worst):
        optimizer.tell(first.id, failure="out of memory")
    else:
        optimizer.tell(first.id, worst)
    assert optimizer.best is None
    optimizer.tell(second.id, -1e299)
    assert optimizer.best.proposal == second


def test_a_search_of_failures_only_ends_without_a_best(make):
    optimizer = make()
    run(optimizer, fail=lambda proposal: True)
    assert optimizer.finished
    assert optimizer.best is None


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(make, asked):
    def fail(proposal):
        return proposal.id % 3 == 2

    whole = make()
    proposals = run(whole, fail=fail)
    before = run(make(), stop_after=asked, fail=fail) if asked else []
    resumed = make()
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in before})
    assert run(resumed, fail=fail) == proposals
    assert resumed.best == whole.best
