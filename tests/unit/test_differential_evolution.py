from __future__ import annotations

import json
import math
import random
import zlib
from collections import Counter

import numpy as np
import pytest

from hopsml_flows.errors import HopsmlWarning, InvalidArgumentError
from hopsml_flows.search import (
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    GaveUp,
    Int,
    SearchSpace,
    Strategy,
    Updating,
)

LINE = SearchSpace({"x": Float(0.0, 1.0)})
MIXED = SearchSpace(
    {
        "rate": Float(1e-5, 1.0, log=True),
        "momentum": [0.0, 1.0],
        "units": [1, 64],
        "batch": Int(8, 512, log=True),
        "act": ["relu", "tanh", "elu"],
        "nesterov": [True, False],
    }
)
STRATEGIES = pytest.mark.parametrize("strategy", list(Strategy))
UPDATINGS = pytest.mark.parametrize("updating", list(Updating))


def bowl(params):
    """Zero at its minimum, which is inside."""
    return (
        (math.log10(params["rate"]) + 2) ** 2
        + 4 * (params["momentum"] - 0.9) ** 2
        + ((params["units"] - 40) / 32) ** 2
        + (math.log2(params["batch"]) - 6) ** 2
        + (params["act"] != "relu")
        + (not params["nesterov"])
    )


def one_number(params):
    return params["x"]


def carry_out(search, value_of, *, workers=3):
    """Run a search to its end; ``value_of`` gives a number, or None for a failure."""
    proposals = []
    while not search.finished:
        asked = search.ask(workers)
        assert asked, "it is neither finished nor is anything running"
        for proposal in asked:
            value = value_of(proposal.params)
            if value is None:
                search.tell(proposal.id, failure="lost")
            else:
                search.tell(proposal.id, value)
        proposals += asked
    return proposals


# Arguments


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("generations", [0, -1, 2.0, "3", None, True]),
        ("population", [3, 0, -6, 6.0, "6", None, True]),
        ("mutation", [0, 0.0, -0.5, 2.0001, math.nan, math.inf, "0.5", None, True, [0.5], 10**400]),
        ("crossover", [-0.001, 1.001, math.nan, -math.inf, "0.5", None, False, 10**400]),
        ("strategy", ["rand2bin", "", None, 1, "ADAPTIVE"]),
        ("updating", ["eager", "", None, 0, "Deferred"]),
        ("tol", [-1e-9, math.nan, math.inf, "0", None, False, 10**400]),
        ("patience", [0, -1, 1.5, "2", True]),
        ("seed", [-1, 0.5, "7", True]),
        ("direction", ["up", None, 1]),
        ("initial", [None, 5, "x", {"x": 0.5}, {0.5}, (point for point in [{"x": 0.5}])]),
    ],
)
def test_a_wrong_argument_is_refused_by_name_and_value(argument, values):
    for value in values:
        with pytest.raises(InvalidArgumentError, match=rf"^{argument}: ") as caught:
            DifferentialEvolution(LINE, **{argument: value})
        assert caught.value.value is value


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({"generations": 1, "population": 4}, 8),
        ({"mutation": 2, "crossover": 0}, 30),
        ({"mutation": 1e-300, "crossover": 1}, 30),
        ({"mutation": np.float32(0.5), "generations": np.int64(2), "population": np.int8(4)}, 12),
        ({"tol": 0, "patience": 1, "seed": 2**63 - 1}, None),
        ({"strategy": "rand1bin", "updating": "immediate", "direction": "min"}, 30),
        ({"strategy": Strategy.BEST1BIN, "updating": Updating.DEFERRED}, 30),
    ],
)
def test_the_ends_of_what_is_allowed_work(options, total):
    proposals = carry_out(DifferentialEvolution(LINE, **options), one_number)
    assert total is None or len(proposals) == total


SPACE = SearchSpace({"rate": [0.0, 1.0], "units": [1, 9], "act": ["a", "b"]})
POINT = {"rate": 0.5, "units": 3, "act": "a"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"rate": 1.0001}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"rate": "0.5"}, "rate"),
        ({"rate": True}, "rate"),
        ({"rate": None}, "rate"),
        ({"units": 0}, "units"),
        ({"units": 10}, "units"),
        ({"units": 3.0}, "units"),
        ({"units": True}, "units"),
        ({"act": "c"}, "act"),
        ({"act": ["a"]}, "act"),
        ({"act": 0}, "act"),
    ],
)
def test_an_initial_value_outside_its_domain_is_refused_by_place_and_name(changed, named):
    with pytest.raises(InvalidArgumentError, match=rf"^initial\[1\]\['{named}'\]: "):
        DifferentialEvolution(SPACE, initial=[POINT, {**POINT, **changed}])


@pytest.mark.parametrize(
    "point",
    [{}, {"rate": 0.5, "units": 3}, {**POINT, "more": 1}, [0.5, 3, "a"], None, "abc", 5],
    ids=repr,
)
def test_an_initial_point_with_other_names_or_that_is_no_dict_is_refused(point):
    with pytest.raises(InvalidArgumentError, match=r"^initial\[0\]: .*rate, units, act"):
        DifferentialEvolution(SPACE, initial=[point])


def test_more_initial_points_than_the_population_are_refused():
    points = [{"x": place / 10} for place in range(6)]
    assert carry_out(DifferentialEvolution(LINE, initial=points), one_number)
    with pytest.raises(InvalidArgumentError, match=r"^initial: .*population=5"):
        DifferentialEvolution(LINE, initial=points, population=5)


# The first generation


def test_initial_points_are_the_first_proposals_as_values_of_the_domains():
    points = [
        {"act": "b", "units": np.int32(9), "rate": 1},
        {"rate": np.float64(0.25), "units": 1, "act": "a"},
    ]
    asked = DifferentialEvolution(SPACE, initial=points, seed=1).ask()
    assert [proposal.params for proposal in asked[:2]] == [
        {"rate": 1.0, "units": 9, "act": "b"},
        {"rate": 0.25, "units": 1, "act": "a"},
    ]
    assert [type(value) for value in asked[0].params.values()] == [float, int, str]
    assert len(asked) == 6


def test_an_initial_point_given_twice_is_evaluated_once():
    asked = DifferentialEvolution(LINE, initial=[{"x": 0.5}] * 3, population=4, seed=1).ask()
    values = [proposal.params["x"] for proposal in asked]
    assert values[0] == 0.5
    assert len(set(values)) == len(values) == 4


def test_the_first_generation_is_spread_over_every_parameter():
    for seed in range(5):
        asked = DifferentialEvolution(
            SearchSpace({"x": [0.0, 1.0], "rate": Float(1e-4, 1.0, log=True)}),
            population=8,
            seed=seed,
        ).ask()
        # One in every eighth, on the parameter's own scale.
        places = [int(proposal.params["x"] * 8) for proposal in asked]
        logs = [int((math.log10(proposal.params["rate"]) + 4) * 2) for proposal in asked]
        assert sorted(places) == sorted(logs) == list(range(8))


def counted(domain, population, seeds):
    values = []
    for seed in range(seeds):
        space = SearchSpace({"x": [0.0, 1.0], "value": domain})
        asked = DifferentialEvolution(space, population=population, seed=seed).ask()
        values += [proposal.params["value"] for proposal in asked]
    return values


@pytest.mark.parametrize(
    "domain",
    [
        Int(1, 7),
        Int(-3, 0),
        Categorical(["a", "b", "c"]),
        Categorical([True, False]),
    ],
    ids=repr,
)
def test_no_integer_and_no_category_is_favoured_in_the_first_generation(domain):
    values = counted(domain, population=5, seeds=300)
    expected = len(values) / domain.cardinality
    counts = Counter(map(repr, values))
    assert len(counts) == domain.cardinality
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = domain.cardinality - 1
    # Far in the tail of its distribution, and far below what half a cell at the ends would give.
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


def test_no_integer_of_a_range_larger_than_the_population_is_favoured_in_the_first_generation():
    space = SearchSpace({"x": [1, 20]})
    values = [
        proposal.params["x"]
        for seed in range(400)
        for proposal in DifferentialEvolution(space, population=5, seed=seed).ask()
    ]
    counts = [values.count(value) for value in range(1, 21)]
    assert sum((count - 100) ** 2 / 100 for count in counts) < 19 + 5 * math.sqrt(2 * 19)


# What evolves


@STRATEGIES
@UPDATINGS
def test_it_gets_better_than_its_first_generation_also_where_all_metrics_are_negative(
    strategy, updating
):
    for seed in range(4):
        search = DifferentialEvolution(
            MIXED,
            generations=9,
            population=10,
            direction=Direction.MAX,
            strategy=strategy,
            updating=updating,
            seed=seed,
        )
        proposals = carry_out(search, lambda params: -1000 - bowl(params))
        first = min(bowl(proposal.params) for proposal in proposals[:10])
        assert search.best.value == -1000 - min(bowl(p.params) for p in proposals)
        assert bowl(search.best.proposal.params) < first


def test_it_finds_more_than_random_search_would():
    # Of 100 points in the first generation: the best of as many random ones.
    evolved, drawn = [], []
    for seed in range(5):
        search = DifferentialEvolution(
            MIXED, generations=9, population=10, direction="min", seed=seed
        )
        carry_out(search, bowl)
        evolved.append(search.best.value)
        asked = DifferentialEvolution(MIXED, population=100, seed=seed).ask()
        drawn.append(min(bowl(proposal.params) for proposal in asked))
    assert sum(evolved) < 0.8 * sum(drawn)


@STRATEGIES
@UPDATINGS
def test_parents_are_evaluated_points_best_first_and_never_get_worse(strategy, updating):
    search = DifferentialEvolution(
        MIXED,
        generations=6,
        population=6,
        direction="min",
        strategy=strategy,
        updating=updating,
        seed=3,
    )
    evaluated, before = [], None
    while not search.finished:
        for proposal in search.ask(2):
            search.tell(proposal.id, bowl(proposal.params))
            evaluated.append(proposal.params)
        if len(evaluated) % 6:
            continue
        losses = [bowl(parent) for parent in search.parents]
        assert losses == sorted(losses)
        assert losses[0] == search.best.value
        assert 4 <= len(losses) <= 6
        assert all(parent in evaluated for parent in search.parents)
        if before is not None:
            assert all(now <= then for now, then in zip(losses, before, strict=False))
        before = losses


FIXED = [strategy for strategy in Strategy if strategy is not Strategy.ADAPTIVE]
"""Those whose F and CR are what they are given."""


@pytest.mark.parametrize("strategy", FIXED)
def test_one_gene_crosses_over_even_where_none_should(strategy):
    space = SearchSpace({f"x{i}": [0.0, 1.0] for i in range(8)})
    search = DifferentialEvolution(
        space, generations=1, population=6, strategy=strategy, crossover=0, seed=5
    )
    first, second = (
        [np.array(list(proposal.params.values())) for proposal in asked]
        for asked in (tell_all(search), tell_all(search))
    )
    for trial in second:
        differing = [int((abs(trial - parent) > 1e-9).sum()) for parent in first]
        assert min(differing) == 1


def tell_all(search):
    asked = search.ask()
    for proposal in asked:
        search.tell(proposal.id, sum(value for value in proposal.params.values()))
    return asked


@pytest.mark.parametrize("strategy", FIXED)
def test_with_a_crossover_of_one_a_trial_vector_differs_in_every_gene(strategy):
    space = SearchSpace({f"x{i}": [0.0, 1.0] for i in range(6)})
    search = DifferentialEvolution(
        space, generations=1, population=6, strategy=strategy, crossover=1, seed=5
    )
    first, second = tell_all(search), tell_all(search)
    for trial in second:
        for parent in first:
            assert not any(
                math.isclose(trial.params[name], parent.params[name], abs_tol=1e-12)
                for name in space
            )


def immediate_with_a_new_best(**options):
    """A search whose eighth proposal just became the best one, in its second parent's place."""
    search = DifferentialEvolution(LINE, population=6, updating="immediate", seed=1, **options)
    for proposal in search.ask(6):
        search.tell(proposal.id, proposal.id)
    search.tell(search.ask(1)[0].id, -1.0)
    (eighth,) = search.ask(1)
    search.tell(eighth.id, 99.0)
    return search, eighth.params["x"]


def test_in_immediate_mode_mutants_follow_the_best_parent_of_the_moment():
    search, best = immediate_with_a_new_best(strategy="best1bin", mutation=1e-12)
    (ninth,) = search.ask(1)
    assert ninth.params["x"] == pytest.approx(best, abs=1e-9)


@STRATEGIES
def test_in_immediate_mode_donors_come_from_parents_ranked_at_the_moment(strategy):
    search, best = immediate_with_a_new_best(strategy=strategy)
    ranked = [
        search._cube.params(vector)["x"]
        for vector in search._breeder.pool(search._population).population
    ]
    assert ranked == pytest.approx([parent["x"] for parent in search.parents])
    assert ranked[0] == pytest.approx(best)


@STRATEGIES
@UPDATINGS
@pytest.mark.parametrize("size", [1.7e308, 1e-300, 5e-324])
def test_metrics_of_any_size_are_no_error(strategy, updating, size):
    drawn = random.Random(1)
    search = DifferentialEvolution(
        LINE, generations=6, strategy=strategy, updating=updating, seed=1
    )
    assert len(carry_out(search, lambda _: drawn.uniform(-1, 1) * size)) == 42


@STRATEGIES
@UPDATINGS
@pytest.mark.parametrize("log", [False, True])
def test_bounds_gather_no_points_where_the_best_lies_at_one(strategy, updating, log):
    low, high = 0.001, 1.0
    space = SearchSpace({"x": Float(low, high, log=log), "y": Float(low, high, log=log)})
    search = DifferentialEvolution(
        space, generations=9, population=10, strategy=strategy, updating=updating, seed=2
    )
    proposals = carry_out(search, lambda params: params["x"] - params["y"])
    values = [value for proposal in proposals for value in proposal.params.values()]
    assert low not in values
    assert high not in values
    assert search.best.value > 0.8  # it did come close


@STRATEGIES
def test_no_integer_or_category_is_favoured_where_the_metric_says_nothing(strategy):
    space = SearchSpace(
        {"x": [0.0, 1.0], "units": [1, 5], "act": ["a", "b", "c"], "on": [True, False]}
    )
    drawn = random.Random(0)
    counts = {}
    for seed in range(60):
        search = DifferentialEvolution(
            space, generations=3, population=8, strategy=strategy, seed=seed
        )
        for proposal in carry_out(search, lambda _: drawn.random()):
            for name, value in proposal.params.items():
                if name != "x":
                    counts[name, value] = counts.get((name, value), 0) + 1
    for name in ("units", "act", "on"):
        of_name = [count for (key, _), count in counts.items() if key == name]
        assert len(of_name) == space[name].cardinality
        mean = sum(of_name) / len(of_name)
        assert max(of_name) < 1.35 * mean
        assert min(of_name) > 0.65 * mean


# Failures


def test_a_search_goes_on_with_what_did_not_fail():
    def half(params):
        return None if params["units"] > 32 else bowl(params)

    search = DifferentialEvolution(MIXED, direction="min", generations=5, population=8, seed=4)
    proposals = carry_out(search, half)
    assert len(proposals) == 48
    assert search.failure is None
    assert all(parent["units"] <= 32 for parent in search.parents)
    late = [proposal.params["units"] > 32 for proposal in proposals[24:]]
    assert sum(late) < 24 * 0.5


@UPDATINGS
@pytest.mark.parametrize("survivors", [1, 3])
def test_fewer_parents_than_a_mutant_needs_do_not_end_the_search(updating, survivors):
    search = DifferentialEvolution(LINE, generations=3, population=5, updating=updating, seed=1)
    count = 0
    while not search.finished:
        for proposal in search.ask(5):
            count += 1
            if proposal.generation < 2 and (proposal.id - 1) % 5 >= survivors:
                search.tell(proposal.id, math.nan)
            else:
                search.tell(proposal.id, proposal.params["x"])
    assert count == 20
    assert search.failure is None


@UPDATINGS
@pytest.mark.parametrize("generation", [0, 1, 2])
def test_one_generation_in_which_all_fail_may_end_the_search_which_says_which(updating, generation):
    search = DifferentialEvolution(
        LINE, generations=4, population=5, updating=updating, max_failed_generations=1, seed=1
    )
    proposals = []
    while not search.finished:
        (proposal,) = search.ask(1)
        proposals.append(proposal)
        if proposal.generation == generation:
            search.tell(proposal.id, failure="out of memory")
        else:
            search.tell(proposal.id, proposal.params["x"])
    reason = f"all 5 trials of generation {generation} failed"
    assert search.gave_up == GaveUp(reason, generation)
    assert search.failure == (None if generation else reason)  # there is a best one otherwise
    assert len(proposals) == search.total == 5 * (generation + 1)
    assert search.generation is None
    assert search.ask() == []


def outcomes_by_generation(search, barren, *, at_once=1):
    """Carry a search out; all trials of some generations fail."""
    proposals = []
    while not search.finished:
        asked = search.ask(at_once)
        assert asked, "it is neither finished nor is anything running"
        for proposal in asked:
            proposals.append(proposal)
            if proposal.generation in barren:
                search.tell(proposal.id, failure="out of memory")
            else:
                search.tell(proposal.id, proposal.params["x"])
    return proposals


@UPDATINGS
@STRATEGIES
@pytest.mark.parametrize("barren", [{0}, {1}, {0, 1}, {1, 2}, {0, 2, 3, 5}, {0, 1, 3, 4, 6}, {6}])
def test_the_search_goes_on_after_generations_in_which_all_fail(updating, strategy, barren):
    search = DifferentialEvolution(
        LINE, generations=6, population=5, updating=updating, strategy=strategy, seed=1
    )
    proposals = outcomes_by_generation(search, barren)
    assert len(proposals) == search.total == 35
    assert (search.failure, search.gave_up) == (None, None)
    good = [p.params["x"] for p in proposals if p.generation not in barren]
    assert search.best.value == max(good)
    assert {parent["x"] for parent in search.parents} <= set(good)


@UPDATINGS
@pytest.mark.parametrize("first", [0, 1, 4])
@pytest.mark.parametrize("most", [2, 3])
def test_several_generations_in_a_row_that_fail_end_the_search_which_says_which(
    updating, first, most
):
    search = DifferentialEvolution(
        LINE, generations=9, population=4, updating=updating, max_failed_generations=most, seed=1
    )
    proposals = outcomes_by_generation(search, set(range(first, 10)))
    reason = f"all {4 * most} trials of generations {first} to {first + most - 1} failed"
    assert search.gave_up == GaveUp(reason, first)
    assert len(proposals) == search.total == 4 * (first + most)
    if first == 0:
        assert (search.failure, search.best) == (reason, None)
    else:
        assert search.failure is None
        assert search.best.value == max(p.params["x"] for p in proposals[: 4 * first])


@UPDATINGS
def test_the_planned_end_comes_before_the_last_failed_generation_that_is_allowed(updating):
    search = DifferentialEvolution(LINE, generations=1, population=4, updating=updating, seed=1)
    outcomes_by_generation(search, {0, 1})
    assert search.failure == "all 8 trials of generations 0 to 1 failed"
    search = DifferentialEvolution(LINE, generations=2, population=4, updating=updating, seed=1)
    outcomes_by_generation(search, {1, 2})
    assert (search.failure, search.gave_up) == (None, None)


@UPDATINGS
def test_failures_of_all_of_a_space_that_turns_out_to_be_small_are_one_of_the_search(updating):
    few = SearchSpace({"x": Float(1.0, math.nextafter(1.0, 2)), "on": [True, False]})
    search = DifferentialEvolution(few, generations=9, population=4, updating=updating, seed=0)
    while not search.finished:
        for proposal in search.ask(3):
            search.tell(proposal.id, failure="lost")
    assert search.total == 4
    assert search.failure == "all 4 trials of generation 0 failed"


def test_a_trial_that_succeeds_after_the_search_gave_up_is_its_result():
    search = DifferentialEvolution(
        LINE, population=4, updating="immediate", max_failed_generations=1, seed=1
    )
    asked = search.ask(5)
    for proposal in asked[:4]:
        search.tell(proposal.id, failure="lost")
    assert search.failure == "all 4 trials of generation 0 failed"
    search.tell(asked[4].id, 0.5)
    assert search.finished
    assert search.best.value == 0.5
    assert search.failure is None
    assert search.gave_up.reason == "all 4 trials of generation 0 failed"


@UPDATINGS
def test_while_there_is_no_parent_configurations_are_drawn_and_none_comes_twice(updating):
    space = SearchSpace({"x": [1, 12]})
    search = DifferentialEvolution(space, population=4, generations=9, updating=updating, seed=1)
    proposals = outcomes_by_generation(search, {0, 1})
    assert sorted(p.params["x"] for p in proposals) == list(range(1, 13))
    assert search.best.value == max(p.params["x"] for p in proposals[8:])


@UPDATINGS
@pytest.mark.parametrize("barren", [{1}, {0, 1}, {1, 2, 3}])
def test_a_resumed_search_goes_through_failed_generations_in_the_same_way(updating, barren):
    def made():
        return DifferentialEvolution(LINE, generations=5, population=4, updating=updating, seed=3)

    whole = outcomes_by_generation(made(), barren)
    resumed = made()
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in whole[:10]})
    assert outcomes_by_generation(resumed, barren) == whole


@UPDATINGS
def test_one_success_in_a_generation_is_enough(updating):
    search = DifferentialEvolution(LINE, generations=3, population=5, updating=updating, seed=1)
    while not search.finished:
        for proposal in search.ask(1):
            if proposal.id % 5 == 0:
                search.tell(proposal.id, proposal.params["x"])
            else:
                search.tell(proposal.id, -math.inf)
    assert search.failure is None
    assert search.total == 20


def test_failures_of_a_later_generation_do_not_change_why_the_search_ended():
    search = DifferentialEvolution(
        LINE, population=4, updating="immediate", max_failed_generations=1, seed=1
    )
    asked = search.ask(8)
    for proposal in asked:
        search.tell(proposal.id, failure="lost")
    assert search.failure == "all 4 trials of generation 0 failed"
    assert search.finished


def test_what_fails_after_patience_has_ended_the_search_is_no_failure_of_it():
    search = DifferentialEvolution(
        LINE, population=4, generations=9, updating="immediate", patience=1, seed=1
    )
    for proposal in search.ask(4):
        search.tell(proposal.id, 1.0)
    asked = search.ask(5)
    for proposal in asked[:4]:
        search.tell(proposal.id, 0.5)
    assert search.ask() == []
    search.tell(asked[4].id, failure="lost")
    assert search.finished
    assert search.failure is None


@UPDATINGS
def test_a_failure_of_what_was_left_of_a_finite_space_is_no_failure_of_the_search(updating):
    search = DifferentialEvolution(
        SearchSpace({"x": [1, 9]}), population=4, generations=9, updating=updating, seed=1
    )
    while not search.finished:
        for proposal in search.ask():
            if proposal.id == 9:  # the only one of the third generation
                search.tell(proposal.id, failure="lost")
            else:
                search.tell(proposal.id, proposal.params["x"])
    assert search.failure is None


def test_failures_of_all_of_a_space_smaller_than_the_population_are_one_of_the_search():
    search = DifferentialEvolution(SearchSpace({"x": [1, 3]}), seed=1)
    carry_out(search, lambda _: None)
    assert search.failure == "all 3 trials of generation 0 failed"


# The end


def test_total_generation_and_population_follow_a_deferred_search():
    search = DifferentialEvolution(LINE, generations=2, population=4, seed=1)
    assert (search.total, search.generation, search.population) == (12, 0, [])
    assert not search.adaptive
    first = search.ask(3)
    assert search.generation == 0
    assert len(search.population) == 4
    first += search.ask()
    assert search.population == [proposal.params for proposal in first]
    assert search.generation == 1
    assert search.ask() == []  # it waits
    for proposal in first[:3]:
        search.tell(proposal.id, proposal.params["x"])
    assert search.ask() == []
    search.tell(first[3].id, first[3].params["x"])
    second = search.ask()
    assert [proposal.generation for proposal in second] == [1] * 4
    assert search.population == [proposal.params for proposal in second]
    for proposal in second:
        search.tell(proposal.id, proposal.params["x"])
    last = search.ask()
    assert search.generation is None
    assert not search.finished
    for proposal in last:
        search.tell(proposal.id, proposal.params["x"])
    assert search.finished
    assert search.total == 12


def test_an_immediate_search_shows_the_parents_with_which_a_generation_began():
    search = DifferentialEvolution(
        LINE, generations=2, population=4, updating="immediate", direction="max", seed=1
    )
    assert search.adaptive
    first = search.ask(4)
    assert search.population == [proposal.params for proposal in first]
    for proposal in first:
        search.tell(proposal.id, proposal.params["x"])
    (fifth,) = search.ask(1)
    shown = list(search.population)
    assert [point["x"] for point in shown] == sorted(
        (proposal.params["x"] for proposal in first), reverse=True
    )
    search.tell(fifth.id, fifth.params["x"])
    search.ask(1)
    assert search.population == shown


def test_an_immediate_search_learns_before_a_generation_is_over():
    searches = [
        DifferentialEvolution(
            LINE, generations=3, population=4, updating="immediate", strategy="rand1bin", seed=1
        )
        for _ in range(2)
    ]
    proposals = []
    for search, good in zip(searches, (-1.0, 1.0), strict=True):
        for proposal in search.ask(4):
            search.tell(proposal.id, proposal.params["x"])
        (fifth,) = search.ask(1)
        search.tell(fifth.id, good * 100)
        proposals.append(search.ask(3))
    assert proposals[0][0].generation == 1
    assert proposals[0] != proposals[1]


@UPDATINGS
def test_generations_count_by_the_number_of_the_proposal(updating):
    search = DifferentialEvolution(MIXED, generations=3, population=5, updating=updating, seed=1)
    proposals = carry_out(search, bowl, workers=7)
    assert [proposal.generation for proposal in proposals] == [n // 5 for n in range(20)]


@UPDATINGS
@pytest.mark.parametrize("patience", [1, 3])
def test_without_improvement_it_ends_after_as_many_generations_as_it_has_patience(
    updating, patience
):
    search = DifferentialEvolution(
        LINE, generations=20, population=4, updating=updating, patience=patience, seed=1
    )
    proposals = carry_out(search, lambda _: 0.5, workers=1)
    assert len(proposals) == search.total == 4 * (1 + patience)
    assert search.failure is None
    assert search.best.value == 0.5


def test_an_improvement_counts_only_if_it_is_larger_than_tol():
    def ended_after(tol, step):
        search = DifferentialEvolution(
            LINE, generations=6, population=4, patience=2, tol=tol, direction="min", seed=1
        )
        while not search.finished:
            for proposal in search.ask():
                search.tell(proposal.id, -step * proposal.generation)
        return search.total

    assert ended_after(0.0, 0.25) == 28
    assert ended_after(0.4, 0.25) == 28  # half a unit in two generations
    assert ended_after(0.5, 0.25) == 12
    assert ended_after(0.0, 0.0) == 12
    assert ended_after(1.0, 0.25) == 12


def test_patience_begins_anew_with_every_improvement():
    search = DifferentialEvolution(LINE, generations=20, population=4, patience=2, seed=1)
    improving = {0: 0.0, 1: 0.0, 2: 1.0, 3: 1.0, 4: 2.0}
    while not search.finished:
        for proposal in search.ask():
            search.tell(proposal.id, improving.get(proposal.generation, 2.0))
    assert search.total == 4 * 7


def test_without_patience_it_never_ends_early():
    search = DifferentialEvolution(LINE, generations=6, population=4, tol=10.0, seed=1)
    assert len(carry_out(search, lambda _: 0.5)) == 28


# Odd spaces


@STRATEGIES
@UPDATINGS
@pytest.mark.parametrize(
    "space",
    [
        {"x": Int(-(2**63), 2**63 - 1)},
        {"x": Int(2**63 - 2**60, 2**63 - 1)},
        {"x": Int(1, 2**63 - 1, log=True)},
        {"x": Float(5e-324, 1.7e308, log=True)},
        {"x": Float(1e-320, 1e-300, log=True)},
        {"x": Float(-8e307, 8e307)},
        {"x": Float(1e15, 1e15 + 1000)},
        {"x": Int(2**62, 2**63 - 1), "y": Float(0.0, 1e-300)},
        {"x": Int(2**62, 2**62 + 100, log=True)},
    ],
    ids=repr,
)
def test_bounds_at_the_ends_of_what_numbers_hold(space, strategy, updating):
    space = SearchSpace(space)
    search = DifferentialEvolution(
        space, generations=3, population=6, strategy=strategy, updating=updating, seed=1
    )

    def place(params):
        domain = space["x"]
        if domain.log:
            return math.log(params["x"]) / 1000
        return params["x"] / domain.high

    proposals = carry_out(search, place)
    assert len({str(proposal.params) for proposal in proposals}) == 24
    for proposal in proposals:
        assert all(proposal.params[name] in space[name] for name in space)


def test_all_of_a_log_scale_is_covered_however_long():
    space = SearchSpace({"x": Float(1e-300, 1e300, log=True)})
    asked = DifferentialEvolution(space, population=10, seed=1).ask()
    assert sorted(math.floor(math.log10(p.params["x"]) / 60) for p in asked) == list(range(-5, 5))


@UPDATINGS
@pytest.mark.parametrize("domain", [["a", "b"], [True, False], [0, 1], Int(1, 2, log=True)])
def test_a_space_of_two_configurations_gives_both(updating, domain):
    space = SearchSpace({"x": domain})
    search = DifferentialEvolution(space, updating=updating, seed=1)
    assert search.total == 2
    proposals = carry_out(search, lambda _: 0.5)
    assert len({repr(proposal.params["x"]) for proposal in proposals}) == 2
    assert search.finished
    assert len(search.parents) == 2


@UPDATINGS
def test_a_float_with_only_a_few_values_ends_when_they_are_used_up(updating):
    space = SearchSpace({"x": Float(1.0, math.nextafter(1.0, 2.0))})
    search = DifferentialEvolution(space, updating=updating, seed=1)
    asked = []
    for _ in range(9):
        fresh = search.ask()
        asked += fresh
        for proposal in fresh:
            search.tell(proposal.id, proposal.params["x"])
    values = [1.0, math.nextafter(1.0, 2.0)]
    assert sorted(proposal.params["x"] for proposal in asked) == values
    assert search.finished
    assert search.total == 2
    assert [parent["x"] for parent in search.parents] == values[::-1]


@UPDATINGS
@pytest.mark.parametrize(
    "domain",
    [
        Int(2**63 - 2, 2**63 - 1, log=True),
        Float(1e300, math.nextafter(1e300, math.inf), log=True),
        Float(0.1, math.nextafter(0.1, 1.0), log=True),
    ],
    ids=repr,
)
def test_neighbours_on_a_log_scale_are_both_proposed(updating, domain):
    search = DifferentialEvolution(
        SearchSpace({"x": domain}), population=4, updating=updating, seed=1
    )
    values = []
    for _ in range(9):
        for proposal in search.ask():
            values.append(proposal.params["x"])
            search.tell(proposal.id, 0.5)
    assert sorted(values) == [domain.low, domain.high]
    assert search.finished


@STRATEGIES
def test_the_smallest_population_and_one_generation(strategy):
    search = DifferentialEvolution(MIXED, generations=1, population=4, strategy=strategy, seed=1)
    assert len(carry_out(search, bowl)) == 8
    assert len(search.parents) == 4


@STRATEGIES
@UPDATINGS
def test_fifty_parameters(strategy, updating):
    space = SearchSpace(
        {
            **{f"x{i}": [0.0, 1.0] for i in range(20)},
            **{f"n{i}": [1, 9] for i in range(15)},
            **{f"c{i}": ["a", "b", "c"] for i in range(15)},
        }
    )
    search = DifferentialEvolution(
        space, generations=7, population=10, strategy=strategy, updating=updating, seed=1
    )

    def value(params):
        return sum(v if isinstance(v, (int, float)) else v == "a" for v in params.values())

    proposals = carry_out(search, value)
    assert len(proposals) == 80
    assert search.best.value > max(value(proposal.params) for proposal in proposals[:10])


def test_a_category_has_no_order_but_all_of_its_types():
    choices = [None, True, 1, 1.0, 1.5, "1", [1, 2], (1, 3), {"a": 1}, math.nan]
    space = SearchSpace({"x": Categorical(choices)})
    search = DifferentialEvolution(space, population=4, seed=1)
    proposals = carry_out(search, lambda _: 0.5)
    assert sorted(repr(p.params["x"]) for p in proposals) == sorted(repr(c) for c in choices)


def test_reversed_bounds_are_searched_as_sorted_ones():
    with pytest.warns(HopsmlWarning, match=r"boundary_dict\['x'\].*reversed"):
        turned = SearchSpace({"x": [1.0, 0.0]})
    one, other = (DifferentialEvolution(space, seed=3) for space in (LINE, turned))
    assert carry_out(one, one_number) == carry_out(other, one_number)


@UPDATINGS
def test_of_equal_metrics_the_best_is_the_first_asked_whichever_ends_first(updating):
    search = DifferentialEvolution(LINE, population=4, generations=2, updating=updating, seed=1)
    while not search.finished:
        for proposal in reversed(search.ask(4)):
            search.tell(proposal.id, 0.5)
    assert search.best.proposal.id == 1


# Seeds and resumption


def test_seeds_differ_and_none_draws_one():
    searches = [DifferentialEvolution(LINE, seed=seed).ask() for seed in (1, 2, None, None)]
    texts = {str(asked) for asked in searches}
    assert len(texts) == 4


def test_a_resumed_search_proposes_what_it_is_told_to_recall_under_the_same_numbers():
    search = DifferentialEvolution(LINE, generations=2, population=4, seed=1)
    plain = DifferentialEvolution(LINE, generations=2, population=4, seed=1).ask()
    search.recall({2: {"x": 0.125}, 99: {"x": 0.5}})
    asked = search.ask()
    assert asked[1].params == {"x": 0.125}
    assert [asked[0], *asked[2:]] == [plain[0], *plain[2:]]
    for proposal in asked:
        search.tell(proposal.id, -proposal.params["x"])
    assert {"x": 0.125} in search.parents
    assert plain[1].params not in search.parents


def test_what_is_recalled_after_its_generation_was_made_is_learnt_from_all_the_same():
    search = DifferentialEvolution(LINE, generations=2, population=4, seed=1)
    asked = search.ask(1)
    search.recall({2: {"x": 0.125}})
    asked += search.ask()
    assert asked[1].params == {"x": 0.125}
    for proposal in asked:
        search.tell(proposal.id, -proposal.params["x"])
    assert {"x": 0.125} in search.parents


def test_what_is_recalled_breeds_as_what_was_proposed_does():
    """An earlier run with other results in between: its second generation is what counts."""
    first = DifferentialEvolution(LINE, generations=2, population=4, strategy="rand1bin", seed=1)
    began = {}
    for proposal in first.ask():
        began[proposal.id] = proposal.params
        first.tell(proposal.id, -proposal.params["x"])
    began.update({proposal.id: proposal.params for proposal in first.ask()})

    again = DifferentialEvolution(LINE, generations=5, population=4, strategy="best1bin", seed=1)
    again.recall(began)
    proposals = carry_out(again, lambda params: -params["x"])
    assert {proposal.id: proposal.params for proposal in proposals[:8]} == began
    assert len(proposals) == 24
    assert len({proposal.params["x"] for proposal in proposals}) == 24


@STRATEGIES
def test_what_was_recalled_is_not_proposed_again(strategy):
    space = SearchSpace({"units": [1, 6], "act": ["a", "b"]})
    every = [{"units": units, "act": act} for units in range(1, 7) for act in "ab"]
    for seed in range(20):
        made = [
            DifferentialEvolution(space, generations=1, population=5, strategy=strategy, seed=seed)
            for _ in range(2)
        ]
        first = [proposal.params for proposal in made[0].ask()]
        recalled = next(params for params in reversed(every) if params not in first)
        made[1].recall({1: recalled})
        texts = [str(p.params) for p in carry_out(made[1], lambda params: params["units"])]
        assert texts[0] == str(recalled)
        assert len(set(texts)) == len(texts) == 10


@pytest.mark.parametrize("seed", [188, 194])
def test_a_proposal_that_was_not_recalled_finds_what_the_recalled_ones_leave(seed):
    space = SearchSpace({"a": Int(1, 9, log=True), "b": Int(1, 3, log=True)})
    order = random.Random(seed)

    def make(updating):
        return DifferentialEvolution(
            space, strategy="rand1bin", population=4, generations=27, updating=updating, seed=0
        )

    def value(params):
        return zlib.crc32(json.dumps(params).encode()) / 2**32

    killed = make("immediate")
    began, running = {}, []
    for _ in range(order.randrange(27)):
        fresh = killed.ask(3 - len(running))
        running += fresh
        began.update({p.id: p.params for p in fresh if p.id not in (1, 6)})
        done = running.pop(order.randrange(len(running)))
        killed.tell(done.id, value(done.params))
    resumed = make("deferred")
    resumed.recall(began)
    proposals = carry_out(resumed, value, workers=2)
    assert len({str(p.params) for p in proposals}) == len(proposals) == 27


GRID = SearchSpace({"x": [1, 9], "c": ["a", "b"]})


def score(params):
    return params["x"] + (params["c"] == "a")


def killed_grid_search(seed):
    """What had begun in an immediate search on three workers, and the numbers not told."""
    order = random.Random(seed)
    search = DifferentialEvolution(
        GRID, population=4, generations=9, updating="immediate", seed=seed
    )
    began, running = {}, []
    for _ in range(10):
        fresh = search.ask(3 - len(running))
        running += fresh
        began.update({proposal.id: proposal.params for proposal in fresh})
        done = running.pop(order.randrange(len(running)))
        search.tell(done.id, score(done.params))
    return began, [proposal.id for proposal in running]


@UPDATINGS
@pytest.mark.parametrize("wrote_nothing", [0, 1, 2])
def test_a_resumed_search_exhausts_a_finite_space_and_runs_nothing_twice(updating, wrote_nothing):
    for seed in range(10):
        began, running = killed_grid_search(seed)
        for number in running[:wrote_nothing]:
            del began[number]
        search = DifferentialEvolution(
            GRID, population=4, generations=9, updating=updating, seed=seed
        )
        search.recall(began)
        proposals = carry_out(search, score, workers=1)
        assert len({str(p.params) for p in proposals}) == len(proposals) == 18
        assert {p.id: p.params for p in proposals if p.id in began} == began


@UPDATINGS
def test_recalled_values_keep_their_types(updating):
    space = SearchSpace({"x": Categorical([1, True, 1.0, 0, False])})
    for seed in range(9):
        first = DifferentialEvolution(space, population=4, seed=seed).ask(1)[0].params["x"]
        other = next(c for c in space["x"].choices if c == first and type(c) is not type(first))
        search = DifferentialEvolution(space, population=4, updating=updating, seed=seed)
        search.recall({1: {"x": other}})
        proposals = carry_out(search, lambda _: 0.5)
        assert proposals[0].params["x"] is other
        assert len({repr(proposal.params) for proposal in proposals}) == 5


def test_recalled_values_are_the_spaces_own_however_json_wrote_them():
    space = SearchSpace({"kernel": Categorical([(3, 3), (5, 5)]), "x": [0.0, 1.0]})
    asked = DifferentialEvolution(space, seed=1).ask()
    again = DifferentialEvolution(space, seed=2)
    again.recall({p.id: json.loads(json.dumps(p.params)) for p in asked})
    assert again.ask() == asked


def test_what_is_recalled_and_not_in_the_space_is_proposed_anew():
    plain = DifferentialEvolution(LINE, seed=1).ask()
    search = DifferentialEvolution(LINE, seed=1)
    search.recall({1: {"x": 1.5}, 2: {"y": 0.5}, 3: {"x": "0.5"}, 4: {}})
    assert search.ask() == plain


def test_the_population_has_what_was_recalled():
    search = DifferentialEvolution(LINE, seed=1)
    search.recall({1: {"x": 0.25}, 9: {"x": 0.75}})
    for _ in range(2):
        asked = search.ask()
        assert search.population == [proposal.params for proposal in asked]
        for proposal in asked:
            search.tell(proposal.id, proposal.params["x"])
    assert {"x": 0.75} in [proposal.params for proposal in asked]


# Fixed values

FIXED = {"loss": ["mse"], "layers": [3, 3], "decay": [0.1, 0.1], "eps": Float(1e-8, 1e-8, log=True)}
VALUES = {"loss": "mse", "layers": 3, "decay": 0.1, "eps": 1e-8}


@STRATEGIES
@UPDATINGS
def test_fixed_values_change_nothing_in_how_the_others_are_searched(strategy, updating):
    settings = {
        "generations": 5, "population": 6, "direction": "min", "seed": 3,
        "strategy": strategy, "updating": updating,
    }  # fmt: skip
    alone = DifferentialEvolution(MIXED, **settings)
    beside = DifferentialEvolution(SearchSpace({**FIXED, **MIXED}), **settings)
    searched = [p.params for p in carry_out(alone, bowl)]
    with_fixed = [p.params for p in carry_out(beside, bowl)]
    assert with_fixed == [{**VALUES, **params} for params in searched]


@STRATEGIES
@UPDATINGS
def test_where_all_values_are_fixed_there_is_one_evaluation(strategy, updating):
    search = DifferentialEvolution(SearchSpace(FIXED), strategy=strategy, updating=updating)
    assert search.total == 1
    assert [p.params for p in carry_out(search, lambda params: 0.5)] == [VALUES]
    assert search.best.value == 0.5


def test_a_fixed_value_may_be_given_to_begin_with_and_no_other():
    space = SearchSpace({"x": [0.0, 1.0], "layers": [3, 3]})
    search = DifferentialEvolution(space, initial=[{"x": 0.5, "layers": 3}])
    assert search.ask(1)[0].params == {"x": 0.5, "layers": 3}
    with pytest.raises(InvalidArgumentError, match=r"initial\[0\]\['layers'\]"):
        DifferentialEvolution(space, initial=[{"x": 0.5, "layers": 4}])
