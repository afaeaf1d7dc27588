"""Asynchronous evolution over random spaces, with results in any order."""

from __future__ import annotations

import json
import random as stdlib_random

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.search import AsynchronousEvolution, Float, Int
from tests.property.test_evolution_properties import (
    ample_spaces,
    carry_out,
    finite,
    finite_spaces,
    metric,
    plenty,
    seeds,
    spaces,
    tell,
    text,
)

settings = st.fixed_dictionaries(
    {"num_trials": st.integers(1, 25), "population": st.integers(4, 7), "seed": seeds}
)
workers = st.integers(1, 5)


@given(spaces, settings, workers, st.integers())
def test_every_proposal_is_new_inside_the_space_and_of_its_types(space, given, workers, order):
    search = AsynchronousEvolution(space, **given)
    planned = search.total
    random = stdlib_random.Random(order)
    proposals = carry_out(search, workers=workers, random=random)
    assert [proposal.id for proposal in proposals] == list(range(1, search.total + 1))
    assert len({text(proposal.params) for proposal in proposals}) == search.total
    assert search.total == planned or not plenty(space)
    for proposal in proposals:
        assert list(proposal.params) == list(space)
        for name, value in proposal.params.items():
            assert value in space[name]
            if isinstance(space[name], Float):
                assert type(value) is float
            if isinstance(space[name], Int):
                assert type(value) is int


@given(ample_spaces, settings, workers, st.integers(), st.sets(st.integers(1, 25)))
def test_the_same_interleaving_gives_the_same_search_also_with_what_is_recalled(
    space, given, workers, order, recalled
):
    def value_of(params):
        return None if metric(params) > 0.25 else metric(params)

    def run(search):
        return carry_out(search, value_of, workers=workers, random=stdlib_random.Random(order))

    one, other = (AsynchronousEvolution(space, **given) for _ in range(2))
    proposals = run(one)
    other.recall({p.id: json.loads(json.dumps(p.params)) for p in proposals if p.id in recalled})
    assert run(other) == proposals
    assert other.best == one.best


@given(finite_spaces, seeds, workers, st.integers(), st.sets(st.integers(1, 60)))
def test_a_resumed_search_exhausts_a_finite_space_and_evaluates_nothing_twice(
    space, seed, workers, order, lost
):
    random = stdlib_random.Random(order)
    given = {"num_trials": space.cardinality + 5, "seed": seed}
    first = AsynchronousEvolution(space, **given)
    began = {p.id: p.params for p in first.ask(random.randrange(space.cardinality))}
    began = {number: params for number, params in began.items() if number not in lost}
    resumed = AsynchronousEvolution(space, **{**given, "seed": seed + 1})
    resumed.recall({n: json.loads(json.dumps(params)) for n, params in began.items()})
    proposals = carry_out(resumed, workers=workers, random=random)
    assert len({text(p.params) for p in proposals}) == len(proposals) == space.cardinality
    assert {p.id: text(p.params) for p in proposals if p.id in began} == {
        n: text(params) for n, params in began.items()
    }


@given(
    ample_spaces,
    settings,
    st.lists(
        st.none() | finite | st.sampled_from([1.7e308, -1.7e308, 5e-324]), min_size=1, max_size=25
    ),
)
def test_metrics_may_be_any_finite_numbers(space, given, told):
    search = AsynchronousEvolution(space, **given)
    while not search.finished:
        for proposal in search.ask(2):
            tell(search, proposal, told[proposal.id % len(told)])
    assert search.finished
