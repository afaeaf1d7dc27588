from __future__ import annotations

import json

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Categorical, Float, RandomSearch, SearchSpace

SPACE = SearchSpace({"rate": [0.1, 0.3], "layers": [2, 9], "opt": ["sgd", "adam"]})
SMALL = SearchSpace({"layers": [1, 3], "opt": ["sgd", "adam"]})


def params(search):
    return [proposal.params for proposal in search.ask()]


def test_as_many_configurations_are_drawn_as_asked_for_each_within_the_space():
    found = params(RandomSearch(SPACE, samples=50, seed=1))
    assert len(found) == 50
    for configuration in found:
        assert list(configuration) == ["rate", "layers", "opt"]
        assert all(configuration[name] in SPACE[name] for name in SPACE)


def test_another_seed_draws_other_configurations():
    assert params(RandomSearch(SPACE, seed=1)) != params(RandomSearch(SPACE, seed=2))


def test_without_a_seed_every_search_is_another_one():
    assert params(RandomSearch(SPACE)) != params(RandomSearch(SPACE))


def test_the_seeds_sequence_is_pinned_down():
    found = params(RandomSearch(SearchSpace({"k": [1, 1000], "o": ["a", "b"]}), samples=4, seed=7))
    assert found == PINNED


PINNED = [
    {"k": 945, "o": "b"},
    {"k": 685, "o": "b"},
    {"k": 579, "o": "b"},
    {"k": 834, "o": "a"},
]


def test_a_configuration_never_comes_twice_and_a_small_space_is_evaluated_whole():
    search = RandomSearch(SMALL, samples=100, seed=0)
    assert search.total == 6
    found = params(search)
    assert len({tuple(configuration.items()) for configuration in found}) == 6


def test_a_finite_space_of_thousands_is_evaluated_whole():
    search = RandomSearch(SearchSpace({"a": [1, 60], "b": [1, 60]}), samples=3600, seed=0)
    assert len({tuple(configuration.items()) for configuration in params(search)}) == 3600


def test_an_interval_of_two_floats_ends_when_both_were_drawn():
    search = RandomSearch(SearchSpace({"a": Float(1.0, 1.0000000000000002)}), samples=5, seed=0)
    found = params(search)
    assert len(found) == 2
    for number in (1, 2):
        search.tell(number, 1.0)
    assert search.finished


@pytest.mark.parametrize("samples", [0, -1, 1.5, "3", None, True, [3]])
def test_samples_must_be_a_positive_integer(samples):
    with pytest.raises(InvalidArgumentError, match=r"^samples: ") as caught:
        RandomSearch(SPACE, samples=samples)
    assert caught.value.value == samples


@pytest.mark.parametrize("seed", [-1, 1.5, "3", True, [3]])
def test_a_seed_must_be_an_integer_of_at_least_zero(seed):
    with pytest.raises(InvalidArgumentError, match=r"^seed: "):
        RandomSearch(SPACE, seed=seed)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lost", [(), (2,), (1, 4)])
def test_a_resumed_search_evaluates_a_small_space_whole_and_nothing_twice(seed, lost):
    began = {p.id: p.params for p in RandomSearch(SMALL, samples=9, seed=seed + 1).ask(4)}
    for number in lost:
        del began[number]
    search = RandomSearch(SMALL, samples=9, seed=seed)
    search.recall(began)
    proposals = search.ask()
    assert len({str(proposal.params) for proposal in proposals}) == len(proposals) == 6
    assert {p.id: p.params for p in proposals if p.id in began} == began


def test_recalled_values_are_the_spaces_own():
    space = SearchSpace({"size": Categorical([(3, 3), (5, 5)]), "on": Categorical([1, True, 1.0])})
    search = RandomSearch(space, samples=6, seed=1)
    proposals = search.ask()
    again = RandomSearch(space, samples=6, seed=2)
    again.recall({p.id: json.loads(json.dumps(p.params)) for p in proposals})
    assert repr(again.ask()) == repr(proposals)
