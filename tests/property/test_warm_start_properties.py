from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.search import (
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    Int,
    RandomSearch,
    SearchSpace,
)
from hopsml_flows.trials import Past, chosen
from hopsml_flows.values.plain import configuration_key

DOMAINS = {
    "rate": Float(0.0, 1.0),
    "units": Int(1, 9),
    "act": Categorical(["relu", "tanh", "elu"]),
    "flag": Categorical([True, False]),
}
spaces = st.lists(st.sampled_from(sorted(DOMAINS)), min_size=1, unique=True).map(
    lambda names: SearchSpace({name: DOMAINS[name] for name in names})
)
values = {
    "rate": st.floats(-0.5, 1.5),
    "units": st.integers(-2, 12) | st.floats(0, 5),
    "act": st.sampled_from(["relu", "tanh", "elu", "gelu"]),
    "flag": st.booleans() | st.integers(0, 1),
}
trials = st.lists(
    st.tuples(st.fixed_dictionaries({}, optional=values), st.floats(-9, 9)), max_size=25
).map(lambda pairs: [Past(f"{n:04d}", params, metric) for n, (params, metric) in enumerate(pairs)])
defaults = st.fixed_dictionaries({}, optional=values)
ways = st.sampled_from(Direction)


@given(trials, spaces, defaults, ways, st.integers(0, 6), st.randoms())
def test_seeds_are_the_best_that_fit_in_any_order_of_the_trials(
    past, space, defaults, way, most, random
):
    seeds = chosen(past, space, direction=way, most=most, defaults=defaults)
    shuffled = past[:]
    random.shuffle(shuffled)
    assert chosen(shuffled, space, direction=way, most=most, defaults=defaults) == seeds
    assert len(seeds.configurations) == len(seeds.trials) <= most
    assert len({configuration_key(params) for params in seeds.configurations}) == len(seeds.trials)
    for params in seeds.configurations:
        assert list(params) == list(space)
        assert all(params[name] in domain for name, domain in space.items())
    metrics = {trial.name: trial.metric for trial in past}
    taken = [metrics[name] for name in seeds.trials]
    assert taken == sorted(taken, reverse=way is Direction.MAX)
    # Every trial is taken, a repeat, unfit, or worse than what was taken; the unfit are not taken.
    assert not {name for name, _ in seeds.unfit} & set(seeds.trials)
    if len(seeds.trials) < most:
        fits = [t for t in past if space.restored(_filled(t, space, defaults)) is not None]
        assert len(fits) + len(seeds.unfit) == len(past)


def _filled(trial, space, defaults):
    ran_with = {**defaults, **trial.params}
    return {name: ran_with[name] for name in space if name in ran_with}


@given(trials, spaces, ways, st.integers(0, 3))
def test_searches_evaluate_their_seeds_first_and_nothing_twice(past, space, way, seed):
    seeds = chosen(past, space, direction=way, most=2).configurations
    for search in (
        RandomSearch(space, samples=8, direction=way, initial=seeds, seed=seed),
        DifferentialEvolution(
            space, population=4, generations=1, direction=way, initial=seeds, seed=seed
        ),
    ):
        asked = []
        while not search.finished:
            for proposal in search.ask():
                asked.append(proposal.params)
                search.tell(proposal.id, float(len(asked)))
        assert asked[: len(seeds)] == list(seeds)
        assert len({configuration_key(params) for params in asked}) == len(asked)
        assert len(asked) == search.total
