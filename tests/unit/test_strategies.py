from __future__ import annotations

import numpy as np
import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Strategy, Updating
from hopsml_flows.search.evolution.strategies import Pool, donors


@pytest.mark.parametrize("kind", [Strategy, Updating])
def test_a_name_is_read_as_its_member(kind):
    for member in kind:
        assert kind.parse(member.value) is kind.parse(member) is member


@pytest.mark.parametrize("kind", [Strategy, Updating])
@pytest.mark.parametrize("value", ["", "RAND1BIN", None, 1, ["deferred"]])
def test_another_name_is_refused_with_those_there_are(kind, value):
    names = ", ".join(repr(member.value) for member in kind)
    with pytest.raises(InvalidArgumentError, match=f"^{kind.__name__.lower()}: .*{names}"):
        kind.parse(value)


@pytest.mark.parametrize("size", [4, 7])
@pytest.mark.parametrize("parent", [0, 2, 3])
def test_rand1bin_takes_three_different_vectors_other_than_the_parent(size, parent):
    # Each vector is its place.
    population = np.arange(size, dtype=float)[:, None]
    given = donors(
        Strategy.RAND1BIN, Pool(population, population), parent, 300, np.random.default_rng(1)
    )
    triples = np.hstack([given.start, given.one, given.other])
    assert parent not in triples
    assert all(len(set(triple)) == 3 for triple in triples.tolist())
    # All of the others are taken, in every role.
    assert all(len(np.unique(column)) == size - 1 for column in triples.T)


@pytest.mark.parametrize("parent", [0, 3])
def test_best1bin_starts_at_the_best_and_takes_two_others_than_the_parent(parent):
    population = np.arange(5, dtype=float)[:, None]
    given = donors(
        Strategy.BEST1BIN, Pool(population, population), parent, 200, np.random.default_rng(1)
    )
    assert (given.start == 0.0).all()
    assert parent not in np.hstack([given.one, given.other])
    assert (given.one != given.other).all()


@pytest.mark.parametrize("strategy", [Strategy.RAND1BIN, Strategy.BEST1BIN])
def test_a_mutant_is_the_base_and_a_scaled_difference(strategy):
    population = np.random.default_rng(2).random((6, 3))
    given = donors(strategy, Pool(population, population), 1, 4, np.random.default_rng(1))
    factors = np.array([0.0, 0.5, 1.0, 2.0])
    expected = given.start + factors[:, None] * (given.one - given.other)
    assert given.mutants(factors) == pytest.approx(expected)


def test_currenttopbest1bin_goes_from_the_parent_towards_one_of_the_best():
    population = np.arange(10, dtype=float)[:, None]
    given = donors(
        Strategy.CURRENTTOPBEST1BIN,
        Pool(population, population),
        6,
        200,
        np.random.default_rng(1),
    )
    assert (given.start == 6.0).all()
    assert 0.0 in given.toward
    assert given.toward.max() < 5.0
    assert given.mutants(np.ones(200)) == pytest.approx(given.toward + given.one - given.other)
