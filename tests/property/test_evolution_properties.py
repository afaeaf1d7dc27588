"""Differential evolution over random spaces, as a search of any experiment meets it."""

from __future__ import annotations

import json
import math
import warnings
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hopsml_flows.errors import HopsmlWarning
from hopsml_flows.search import (
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    Int,
    SearchSpace,
    Strategy,
    Updating,
)
from hopsml_flows.values.plain import json_value

seeds = st.integers(0, 2**32)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def floats(draw):
    log = draw(st.booleans())
    bound = st.floats(5e-324, 1.7e308) if log else finite
    low, high = sorted(draw(st.tuples(bound, bound)))
    assume(low < high and math.isfinite(high - low))
    return Float(low, high, log=log)


@st.composite
def neighbours(draw):
    """Floats of which there are a few, on a scale whose ends may have one logarithm."""
    low = draw(st.floats(1e-300, 1e300))
    high = low
    for _ in range(draw(st.integers(1, 5))):
        high = math.nextafter(high, math.inf)
    return Float(low, high, log=draw(st.booleans()))


def plenty(space):
    """Whether no parameter is an interval of a few floats, which search may use up."""
    return all(
        d.high - d.low > max(1e-290, 1e-9 * max(-d.low, d.high))
        for d in space.values()
        if isinstance(d, Float)
    )


@st.composite
def ints(draw):
    log = draw(st.booleans())
    bound = st.integers(1, 2**63 - 1) if log else st.integers(-(2**63), 2**63 - 1)
    low, high = sorted(draw(st.tuples(bound, bound)))
    assume(low < high)
    return Int(low, high, log=log)


@st.composite
def small_ints(draw):
    low = draw(st.integers(-9, 9) if (linear := draw(st.booleans())) else st.integers(1, 9))
    return Int(low, low + draw(st.integers(1, 9)), log=not linear)


@st.composite
def large_ints(draw):
    """Integers of which the logarithms hardly differ."""
    low = draw(st.integers(2**40, 2**63 - 1000))
    return Int(low, low + draw(st.integers(1, 900)), log=draw(st.booleans()))


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(width=16) | st.text(max_size=3)
values = scalars | st.tuples(scalars, scalars) | st.dictionaries(st.text(max_size=2), scalars)
choices = st.lists(
    values, min_size=2, max_size=9, unique_by=lambda value: repr(json_value("value", value))
).map(Categorical)
flags = st.just([True, False])
names = st.text(min_size=1, max_size=4)
spaces = st.dictionaries(
    names,
    floats() | neighbours() | ints() | small_ints() | large_ints() | choices | flags,
    min_size=1,
    max_size=4,
).map(SearchSpace)
finite_spaces = (
    st.dictionaries(names, small_ints() | choices | flags, min_size=1, max_size=2)
    .map(SearchSpace)
    .filter(lambda space: space.cardinality <= 60)
)
ample_spaces = spaces.filter(plenty)
number_spaces = spaces.filter(
    lambda space: not any(isinstance(domain, Categorical) for domain in space.values())
)
settings = st.fixed_dictionaries(
    {
        "generations": st.integers(1, 3),
        "population": st.integers(4, 7),
        "strategy": st.sampled_from(Strategy),
        "seed": seeds,
    }
)
updatings = st.sampled_from(Updating)


def metric(params):
    """A number that depends on the parameters alone, and is worth nothing to a model."""
    return zlib.crc32(json.dumps(params).encode()) / 2**32 - 0.5


def coarse(params):
    """One of a few numbers, so that many are equal."""
    return round(4 * metric(params)) / 4


def text(params):
    """A configuration with its types: True, 1 and 1.0 are different values."""
    return repr(list(params.items()))


def tell(search, proposal, value):
    if value is None:
        search.tell(proposal.id, failure="lost")
    else:
        search.tell(proposal.id, value)


def carry_out(search, value_of=metric, *, workers=3, random=None):
    """Run a search to its end on some workers, that end in the order of asking or at random."""
    proposals, running = [], []
    while not search.finished:
        fresh = search.ask(workers - len(running))
        proposals += fresh
        running += fresh
        if not running:  # only asking shows that a continuum of a few floats is used up
            assert search.finished, "it is neither finished nor is anything running"
            break
        done = running.pop(random.randrange(len(running)) if random else 0)
        tell(search, done, value_of(done.params))
    return proposals


@given(spaces, settings, updatings)
def test_every_proposal_is_new_inside_the_space_and_of_its_types(space, given, updating):
    search = DifferentialEvolution(space, updating=updating, **given)
    planned = search.total
    proposals = carry_out(search)
    assert [proposal.id for proposal in proposals] == list(range(1, search.total + 1))
    assert len({text(proposal.params) for proposal in proposals}) == search.total
    assert search.total == planned or not plenty(space)
    for proposal in proposals:
        assert list(proposal.params) == list(space)
        assert proposal.generation == (proposal.id - 1) // given["population"]
        for name, value in proposal.params.items():
            assert value in space[name]
            if isinstance(space[name], Float):
                assert type(value) is float
            if isinstance(space[name], Int):
                assert type(value) is int


@given(spaces, settings, updatings)
def test_a_seed_repeats_a_search_bit_for_bit(space, given, updating):
    searches = [DifferentialEvolution(space, updating=updating, **given) for _ in range(2)]
    one, other = (carry_out(search) for search in searches)
    assert [text(p.params) for p in one] == [text(p.params) for p in other]
    assert searches[0].parents == searches[1].parents


@given(spaces, settings, st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_deferred_search_is_the_same_on_any_number_of_workers_in_any_order(
    space, given, workers, others, random
):
    one, other = (DifferentialEvolution(space, **given) for _ in range(2))
    proposals = carry_out(one, coarse, workers=workers)
    assert carry_out(other, coarse, workers=others, random=random) == proposals
    assert other.parents == one.parents
    assert other.best == one.best


@given(ample_spaces, settings, updatings, st.sets(st.integers(1, 28)))
def test_recalling_what_was_proposed_changes_nothing_where_trials_fail(
    space, given, updating, recalled
):
    def value_of(params):
        return None if metric(params) > 0.25 else metric(params)

    search = DifferentialEvolution(space, updating=updating, **given)
    proposals = carry_out(search, value_of)
    resumed = DifferentialEvolution(space, updating=updating, **given)
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in proposals if p.id in recalled})
    assert carry_out(resumed, value_of) == proposals
    assert resumed.parents == search.parents
    assert resumed.best == search.best
    assert resumed.failure == search.failure


@given(
    ample_spaces,
    settings,
    st.integers(0, 30),
    st.sets(st.integers(1, 28)),
    st.randoms(use_true_random=False),
)
def test_a_deferred_search_resumed_from_its_results_ends_with_the_same_parents(
    space, given, told, wrote_nothing, random
):
    undisturbed = DifferentialEvolution(space, **given)
    proposals = carry_out(undisturbed)

    killed = DifferentialEvolution(space, **given)
    left, began, running = {}, {}, []
    while len(left) < told and not killed.finished:
        fresh = killed.ask(4 - len(running))
        running += fresh
        began.update({proposal.id: proposal.params for proposal in fresh})
        if not running:
            break
        done = running.pop(random.randrange(len(running)))
        left[done.id] = metric(done.params)
        killed.tell(done.id, left[done.id])

    resumed = DifferentialEvolution(space, **given)
    kept = {n: params for n, params in began.items() if n in left or n not in wrote_nothing}
    resumed.recall({n: json.loads(json.dumps(params)) for n, params in kept.items()})
    again = []
    while not resumed.finished:
        asked = resumed.ask()
        assert resumed.population == [proposal.params for proposal in asked]
        random.shuffle(asked)
        for proposal in asked:
            if proposal.id not in left:
                again.append(proposal.id)
            resumed.tell(proposal.id, left.get(proposal.id, metric(proposal.params)))
    assert resumed.parents == undisturbed.parents
    assert resumed.best == undisturbed.best
    assert sorted(again) == sorted({proposal.id for proposal in proposals} - set(left))


@given(ample_spaces, settings, st.integers(0, 20), st.randoms(use_true_random=False))
def test_an_immediate_search_resumed_proposes_what_it_had_proposed(space, given, told, random):
    killed = DifferentialEvolution(space, updating="immediate", **given)
    left, began, running = {}, {}, []
    while len(left) < told and not killed.finished:
        fresh = killed.ask(3 - len(running))
        running += fresh
        began.update({proposal.id: proposal.params for proposal in fresh})
        if not running:
            break
        done = running.pop(random.randrange(len(running)))
        left[done.id] = metric(done.params)
        killed.tell(done.id, left[done.id])

    resumed = DifferentialEvolution(space, updating="immediate", **given)
    resumed.recall({n: json.loads(json.dumps(params)) for n, params in began.items()})
    asked = {}
    for _ in range(len(began)):
        (proposal,) = resumed.ask(1)
        asked[proposal.id] = proposal.params
        if proposal.id in left:
            resumed.tell(proposal.id, left[proposal.id])
    assert {n: text(params) for n, params in asked.items()} == {
        n: text(params) for n, params in began.items()
    }
    assert (resumed.best.value if left else None) == (max(left.values()) if left else None)


@given(
    finite_spaces,
    settings,
    updatings,
    st.sets(st.integers(1, 60)),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_a_resumed_search_exhausts_a_finite_space_and_evaluates_nothing_twice(
    space, given, updating, wrote_nothing, workers, random
):
    given = {**given, "generations": space.cardinality}
    killed = DifferentialEvolution(space, updating="immediate", **given)
    began, running = {}, []
    for _ in range(random.randrange(space.cardinality)):
        fresh = killed.ask(3 - len(running))
        running += fresh
        began.update({p.id: p.params for p in fresh if p.id not in wrote_nothing})
        done = running.pop(random.randrange(len(running)))
        killed.tell(done.id, metric(done.params))

    resumed = DifferentialEvolution(space, updating=updating, **given)
    resumed.recall({n: json.loads(json.dumps(params)) for n, params in began.items()})
    proposals = carry_out(resumed, workers=workers, random=random)
    assert len({text(p.params) for p in proposals}) == len(proposals) == space.cardinality
    assert {p.id: text(p.params) for p in proposals if p.id in began} == {
        n: text(params) for n, params in began.items()
    }


@given(
    ample_spaces,
    settings,
    updatings,
    st.lists(finite | st.sampled_from([1.7e308, -1.7e308, 5e-324]), min_size=1, max_size=30),
)
def test_metrics_of_any_size_are_no_error(space, given, updating, values):
    search = DifferentialEvolution(space, updating=updating, **given)
    told = []
    while not search.finished:
        for proposal in search.ask(3):
            told.append(values[proposal.id % len(values)])
            search.tell(proposal.id, told[-1])
    assert search.best.value == max(told)
    assert search.best.proposal.id == told.index(max(told)) + 1
    assert len(told) == search.total


@given(spaces, settings, updatings)
def test_maximising_is_minimising_the_negative(space, given, updating):
    up = DifferentialEvolution(space, direction=Direction.MAX, updating=updating, **given)
    down = DifferentialEvolution(space, direction=Direction.MIN, updating=updating, **given)
    assert carry_out(up) == carry_out(down, lambda params: -metric(params))
    assert up.parents == down.parents
    assert up.best.value == -down.best.value
    assert up.best.proposal == down.best.proposal


@given(
    spaces,
    settings,
    updatings,
    st.lists(st.sampled_from([0.5, None, math.nan, math.inf, -math.inf]), min_size=1, max_size=30),
)
def test_failures_are_never_parents_nor_the_best(space, given, updating, kinds):
    search = DifferentialEvolution(space, direction="min", updating=updating, **given)
    good = {}
    while not search.finished:
        for proposal in search.ask(3):
            kind = kinds[proposal.id % len(kinds)]
            value = metric(proposal.params) if kind == 0.5 else kind
            tell(search, proposal, value)
            if kind == 0.5:
                good[text(proposal.params)] = value
            assert {text(parent) for parent in search.parents} <= set(good)
    assert (search.best.value if search.best else None) == min(good.values(), default=None)
    if good:
        assert text(search.best.proposal.params) in good
    else:
        assert "failed" in search.failure


@given(finite_spaces, settings, updatings, st.integers(1, 6), st.randoms(use_true_random=False))
def test_a_finite_space_is_exhausted_each_configuration_once_and_the_search_ends(
    space, given, updating, workers, random
):
    search = DifferentialEvolution(
        space, updating=updating, **{**given, "generations": space.cardinality}
    )
    assert search.total == space.cardinality
    proposals = carry_out(search, workers=workers, random=random)
    assert len({text(proposal.params) for proposal in proposals}) == space.cardinality
    assert len(proposals) == search.total == space.cardinality
    assert search.ask() == []


@given(spaces, settings, updatings, st.integers(1, 4), seeds)
def test_initial_points_come_first_and_exactly_as_given(space, given, updating, count, seed):
    # Points that another search thinks of are as good as a user's.
    points = [proposal.params for proposal in DifferentialEvolution(space, seed=seed).ask(count)]
    search = DifferentialEvolution(space, initial=points, updating=updating, **given)
    proposals = carry_out(search)
    assert [text(p.params) for p in proposals[: len(points)]] == [text(p) for p in points]
    assert len({text(proposal.params) for proposal in proposals}) == len(proposals)


@given(ample_spaces, settings, st.integers(1, 12), st.lists(st.booleans(), max_size=60))
def test_a_free_worker_gets_a_proposal_at_once_in_immediate_mode(space, given, workers, successes):
    search = DifferentialEvolution(space, updating="immediate", **given)
    outcomes = iter(successes)
    running = []
    asked = 0
    while asked < search.total:
        if len(running) == workers:
            done = running.pop()
            # The others of its generation may still be at work, or have failed.
            good = next(outcomes, True) or done.generation == 0
            tell(search, done, metric(done.params) if good else None)
            if search.failure:
                break
        fresh = search.ask(1)
        assert len(fresh) == 1
        running += fresh
        asked += 1
    for proposal in running:
        tell(search, proposal, metric(proposal.params))
    assert search.finished


@given(number_spaces, settings)
def test_reversed_bounds_are_sorted_with_a_warning(space, given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HopsmlWarning)
        turned = SearchSpace({n: type(d)(d.high, d.low, log=d.log) for n, d in space.items()})
    domain = next(iter(space.values()))
    with pytest.warns(HopsmlWarning, match="reversed"):
        type(domain)(domain.high, domain.low, log=domain.log)
    one, other = (DifferentialEvolution(s, **given) for s in (space, turned))
    assert carry_out(one) == carry_out(other)
