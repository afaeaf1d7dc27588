from __future__ import annotations

import json

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import (
    AsynchronousEvolution,
    Direction,
    Evaluation,
    Float,
    RandomSearch,
    SearchSpace,
)
from hopsml_flows.search.evolution.asynchronous import population_for

SPACE = SearchSpace({"x": [-5.0, 5.0], "y": [-5.0, 5.0], "kind": ["a", "b", "c"]})


def loss(params):
    return params["x"] ** 2 + (params["y"] - 1) ** 2 + "bca".index(params["kind"])


def evolution(space=SPACE, **settings):
    return AsynchronousEvolution(space, **{"direction": "min", "seed": 3, **settings})


def run(search, *, workers=1, trials=None, fail=lambda _: False):
    """Keep workers busy; the one that has run longest is done first."""
    proposals, running = [], []
    while not search.finished and (trials is None or len(proposals) < trials):
        fresh = search.ask(workers - len(running))
        proposals += fresh
        running += fresh
        done = running.pop(0)
        if fail(done):
            search.tell(done.id, failure="lost")
        else:
            search.tell(done.id, loss(done.params))
    return proposals


@pytest.mark.parametrize("trials", [1, 3, 5, 6, 7, 40])
@pytest.mark.parametrize("workers", [1, 4, 11])
def test_exactly_as_many_configurations_as_wanted_are_evaluated(trials, workers):
    search = evolution(num_trials=trials, workers=workers)
    assert search.total == trials
    assert len(run(search, workers=workers)) == trials
    assert search.finished
    assert search.total == trials


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("direction", list(Direction))
def test_it_finds_better_configurations_than_random_search(direction, workers):
    sign = 1 if direction is Direction.MIN else -1
    search = evolution(num_trials=60, workers=workers, direction=direction)
    running = []
    while not search.finished:
        running += search.ask(workers - len(running))
        done = running.pop(0)
        search.tell(done.id, sign * loss(done.params))
    drawn = min(loss(p.params) for p in RandomSearch(SPACE, samples=60, seed=3).ask())
    assert loss(search.best.proposal.params) < drawn / 4


def test_it_never_waits_for_a_result():
    search = evolution(num_trials=30)
    assert len(search.ask(30)) == 30


def test_without_a_number_of_trials_there_is_no_end():
    search = evolution()
    assert search.total is None
    run(search, trials=200)
    assert not search.finished
    with pytest.raises(InvalidArgumentError, match=r"^count: .*no end"):
        search.ask()
    assert search.best.value < 0.01


def test_proposals_have_no_generation():
    assert {p.generation for p in run(evolution(num_trials=20))} == {None}


def test_the_first_configurations_are_spread_evenly():
    space = SearchSpace({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    first = evolution(space, num_trials=100, population=10).ask(10)
    for name in space:
        assert sorted(int(10 * p.params[name]) for p in first) == list(range(10))


def test_initial_configurations_come_first():
    points = [{"x": 1.0, "y": 2.0, "kind": "a"}, {"x": 1.5, "y": 2.0, "kind": "b"}]
    found = [p.params for p in run(evolution(num_trials=12, initial=points))]
    assert found[:2] == points
    many = [{"x": float(i), "y": 0.0, "kind": "a"} for i in range(-4, 5)]
    search = evolution(num_trials=12, population=4, initial=many)
    assert [p.params for p in run(search)][:9] == many


def test_a_proposals_draw_depends_on_seed_and_number_alone():
    """With equal results, each search has the same parents; what differs are former draws."""
    one, other = evolution(num_trials=40, population=4), evolution(num_trials=40, population=4)
    for search in (one, other):
        for proposal in search.ask(4):
            search.tell(proposal.id, float(proposal.id))
    straight = one.ask(3)
    other.recall({5: {"x": 0.1, "y": 0.2, "kind": "a"}, 6: {"x": 0.2, "y": 0.1, "kind": "b"}})
    assert other.ask(3)[2] == straight[2]


def test_failures_are_never_parents():
    search = evolution(num_trials=60)
    run(search, fail=lambda p: p.params["x"] > 0)
    assert search.best.proposal.params["x"] <= 0
    parents = [search._cube.params(parent.vector) for parent in search._parents]
    assert len(parents) == 4
    assert all(parent["x"] <= 0 for parent in parents)


def test_while_too_few_succeed_configurations_are_drawn():
    search = evolution(num_trials=30)
    assert len(run(search, fail=lambda _: True)) == 30
    assert search.finished
    assert search.best is None
    assert search.gave_up is None


def test_a_success_that_is_no_mutant_teaches_no_mutation_factor():
    search = evolution(num_trials=60, population=4)
    run(search)
    memory = search._breeder._memory
    assert all(0 < factor <= 1 for factor in memory._mutation)
    made = len(search._breeder.evaluated) - 4
    assert made > 40


def test_a_recalled_configuration_competes_in_the_place_of_the_searchs_own():
    best = {"x": 0.0, "y": 1.0, "kind": "b"}
    search = evolution(num_trials=30)
    search.recall({9: json.loads(json.dumps(best))})
    proposals = run(search)
    assert proposals[8].params == best
    assert search.best == Evaluation(proposals[8], 0.0)


def test_a_scale_of_a_few_floats_ends_when_all_were_proposed():
    search = evolution(SearchSpace({"x": Float(1.0, 1.0000000000000002)}), num_trials=9)
    numbers = [p.id for p in search.ask(9)]
    assert numbers == [1, 2]
    for number in numbers:
        search.tell(number, 1.0)
    assert search.finished
    assert search.total == 2


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("num_trials", 0),
        ("num_trials", 2.5),
        ("num_trials", "9"),
        ("workers", 0),
        ("workers", None),
        ("population", 3),
        ("seed", -1),
        ("direction", "up"),
        ("initial", [{"x": 9.0, "y": 0.0, "kind": "a"}]),
    ],
)
def test_an_argument_out_of_its_range_is_refused(argument, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}"):
        evolution(**{argument: value})


@pytest.mark.parametrize(
    ("trials", "workers", "population"),
    [(1, 1, 6), (30, 1, 6), (100, 8, 11), (300, 1, 15), (1000, 1, 20), (10**6, 1, 20)],
)
def test_the_population_suits_the_trials(trials, workers, population):
    assert population_for(trials, workers) == population


def test_the_population_grows_with_more_workers_than_individuals():
    assert population_for(100, 32) == 32
    assert population_for(None, 4) == population_for(300)
