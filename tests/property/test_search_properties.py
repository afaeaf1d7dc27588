from __future__ import annotations

import itertools
import json
import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from hopsml_flows.search import (
    Categorical,
    Direction,
    Float,
    GridSearch,
    Int,
    ListSearch,
    RandomSearch,
    SearchSpace,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
int64 = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=5)
seeds = st.integers(0, 2**64)


@st.composite
def floats(draw):
    log = draw(st.booleans())
    bound = st.floats(5e-324, 1.7e308) if log else finite
    low, high = sorted(draw(st.tuples(bound, bound)))
    assume(low < high and math.isfinite(high - low))
    return Float(low, high, log=log)


@st.composite
def ints(draw):
    log = draw(st.booleans())
    low, high = sorted(draw(st.tuples(*[st.integers(1, 2**63 - 1) if log else int64] * 2)))
    assume(low < high)
    return Int(low, high, log=log)


choices = st.lists(scalars, min_size=2, max_size=6, unique_by=lambda v: (type(v), repr(v))).map(
    Categorical
)
domains = floats() | ints() | choices
spaces = st.dictionaries(st.text(min_size=1, max_size=8), domains, min_size=1, max_size=4).map(
    SearchSpace
)
grids = st.dictionaries(
    st.text(min_size=1, max_size=8), st.lists(scalars, min_size=1, max_size=4), min_size=1,
    max_size=4,
)  # fmt: skip


@given(domains, seeds)
def test_a_draw_is_always_in_its_domain(domain, seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        assert domain.sample(rng) in domain


@given(spaces)
def test_a_space_describes_itself_in_json(space):
    assert json.loads(json.dumps(space.describe())) == space.describe()


@given(spaces, seeds, st.integers(1, 20))
def test_a_seed_repeats_a_random_search_and_nothing_comes_twice(space, seed, samples):
    one, other = (RandomSearch(space, samples=samples, seed=seed).ask() for _ in range(2))
    assert one == other
    assert len({repr(proposal.params) for proposal in one}) == len(one)
    assert len(one) <= samples


@given(spaces, seeds, st.lists(st.integers(0, 4), max_size=8))
def test_how_many_are_asked_for_at_a_time_changes_nothing(space, seed, pieces):
    whole = RandomSearch(space, samples=10, seed=seed).ask()
    search = RandomSearch(space, samples=10, seed=seed)
    parts = [proposal for count in pieces for proposal in search.ask(count)]
    assert parts + search.ask() == whole


@given(grids)
def test_a_grid_is_the_cartesian_product_in_order(grid):
    asked = [proposal.params for proposal in GridSearch(grid).ask()]
    expected = [dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())]
    assert asked == expected
    assert GridSearch(grid).total == len(expected)


@given(
    st.lists(st.floats() | st.none(), min_size=1, max_size=12),
    st.sampled_from(Direction),
    st.randoms(use_true_random=False),
)
def test_the_best_is_the_best_finite_value_in_any_order_of_telling(values, direction, random):
    search = ListSearch([{"i": i} for i in range(len(values))], direction=direction)
    told = list(zip(search.ask(), values, strict=True))
    random.shuffle(told)
    for proposal, value in told:
        if value is None:
            search.tell(proposal.id, failure="none")
        else:
            search.tell(proposal.id, value)
    good = [value for value in values if value is not None and math.isfinite(value)]
    best = max if direction is Direction.MAX else min
    assert search.finished
    assert (search.best.value if search.best else None) == (best(good) if good else None)


@given(spaces, seeds, st.lists(st.booleans(), max_size=10), st.integers(0, 10))
def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(space, seed, successes, count):
    def tell(search):
        asked = search.ask(count)
        for proposal, good in zip(asked, successes, strict=False):
            if good:
                search.tell(proposal.id, proposal.id / 7)
            else:
                search.tell(proposal.id, failure="lost")
        return asked

    search = RandomSearch(space, samples=10, seed=seed)
    asked = tell(search)
    resumed = RandomSearch(space, samples=10, seed=seed)
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in asked})
    assert tell(resumed) == asked
    assert resumed.best == search.best
    assert resumed.ask() == search.ask()
