from __future__ import annotations

import numpy as np
import pytest

from hopsml_flows.search.evolution.variation import (
    bounced,
    crossed,
    latin_hypercube,
    mutated_categories,
    neighbours,
)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 1), (4, 3), (6, 50), (17, 2)])
def test_a_latin_hypercube_has_one_point_in_each_stratum_of_each_coordinate(count, size, rng):
    points = latin_hypercube(count, size, rng)
    assert points.shape == (count, size)
    assert points.min() >= 0.0
    assert points.max() < 1.0
    for axis in range(size):
        assert sorted(np.floor(points[:, axis] * count)) == list(range(count))


def test_a_latin_hypercube_of_no_points_is_empty(rng):
    assert latin_hypercube(0, 3, rng).shape == (0, 3)


def test_a_latin_hypercube_is_not_the_diagonal(rng):
    points = latin_hypercube(20, 2, rng)
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.6


@pytest.mark.parametrize(("count", "size"), [(5, 1), (6, 2), (4, 3)])
def test_a_latin_hypercube_favours_no_part_of_a_coordinate(count, size):
    points = np.concatenate(
        [latin_hypercube(count, size, np.random.default_rng(seed)) for seed in range(2000)]
    )
    counts, _ = np.histogram(points, bins=2 * count, range=(0, 1))
    assert np.ptp(counts) < 0.1 * counts.mean()


def test_the_same_state_gives_the_same_design():
    one, other = (latin_hypercube(6, 3, np.random.default_rng(3)) for _ in range(2))
    assert (one == other).all()


def test_bouncing_leaves_what_is_inside_alone(rng):
    mutants = rng.random((50, 3))
    mutants[0] = [0.0, 1.0, 0.5]
    assert (bounced(mutants, rng.random((50, 3)), rng) == mutants).all()


def test_what_is_outside_comes_back_between_the_parent_and_the_bound_it_crossed(rng):
    mutants = rng.choice([-1e9, -0.3, 1.2, 7.0], (200, 3))
    parents = rng.uniform(0.2, 0.8, (200, 3))
    back = bounced(mutants, parents, rng)
    below = mutants < 0
    assert (back[below] <= parents[below]).all()
    assert (back[below] > 0.0).all()
    assert (back[~below] >= parents[~below]).all()
    assert (back[~below] < 1.0).all()
    # Not all in one place: it is drawn.
    assert len(np.unique(back)) == back.size


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_crossover_takes_each_gene_at_the_rate_and_at_least_one(rate, rng):
    mutants = np.ones((3000, 5))
    crossing = crossed(mutants, np.zeros(5), np.full(3000, rate), rng)
    taken = crossing.sum(axis=1)
    assert set(np.unique(crossing)) <= {0.0, 1.0}
    assert taken.min() >= 1
    assert crossing.mean() == pytest.approx(0.2 + 0.8 * rate, abs=0.03)
    if rate == 0.0:
        assert taken.max() == 1
    # No coordinate is favoured.
    assert np.ptp(crossing.mean(axis=0)) < 0.08


def test_each_mutant_crosses_at_its_own_rate(rng):
    crossing = crossed(np.ones((2, 400)), np.zeros(400), np.array([0.1, 0.9]), rng)
    assert crossing[0].mean() < 0.25
    assert crossing[1].mean() > 0.75


CATEGORIES = np.array([0, 3, 0, 2])
CENTRES = {1: {1 / 6, 0.5, 5 / 6}, 3: {0.25, 0.75}}


def categorical_vectors(rng, count):
    vectors = rng.random((count, 4))
    for axis, centres in CENTRES.items():
        vectors[:, axis] = rng.choice(sorted(centres), count)
    return vectors


def test_categories_are_whole_categories_and_numbers_stay(rng):
    mutants = rng.normal(0.5, 1.0, (500, 4))
    base, one, other = (categorical_vectors(rng, 500) for _ in range(3))
    changed = mutated_categories(mutants, base, (one, other), np.full(500, 0.5), CATEGORIES, rng)
    assert (changed[:, [0, 2]] == mutants[:, [0, 2]]).all()
    for axis, centres in CENTRES.items():
        assert all(min(abs(v - c) for c in centres) < 1e-12 for v in changed[:, axis])
        assert len(np.unique(changed[:, axis].round(6))) == len(centres)


def test_a_category_mostly_follows_the_base_where_the_donors_agree(rng):
    base = categorical_vectors(rng, 1000)
    changed = mutated_categories(
        rng.random((1000, 4)), base, (base, base), np.full(1000, 1.0), CATEGORIES, rng
    )
    for axis in CENTRES:
        kept = (changed[:, axis] == base[:, axis]).mean()
        assert 0.7 < kept < 1.0  # and now and then one comes in that no donor has


def test_a_category_is_drawn_anew_more_often_where_the_donors_differ(rng):
    base, one = categorical_vectors(rng, 2000), categorical_vectors(rng, 2000)
    one[:, 3], other = 0.25, one.copy()
    other[:, 3] = 0.75
    kept = []
    for factor in (0.1, 0.9):
        changed = mutated_categories(
            rng.random((2000, 4)), base, (one, other), np.full(2000, factor), CATEGORIES, rng
        )
        kept.append((changed[:, 3] == base[:, 3]).mean())
    assert kept[0] > kept[1]
    assert kept[1] == pytest.approx(0.55, abs=0.1)


def test_a_space_without_categories_passes_through(rng):
    mutants = rng.random((5, 2))
    none = np.array([0, 0])
    assert (
        mutated_categories(mutants, mutants, (mutants, mutants), np.ones(5), none, rng) == mutants
    ).all()


def test_neighbours_stay_inside_and_differ_from_their_centre(rng):
    centre = np.array([[0.0, 1.0, 0.5, 0.99]])
    near = neighbours(centre, 500, np.zeros(4, dtype=int), rng)
    assert near.shape == (500, 4)
    assert ((near >= 0) & (near <= 1)).all()
    assert (near != centre).any(axis=1).all()


def test_neighbours_lie_on_all_scales_around_all_centres(rng):
    centres = np.array([[0.3, 0.3], [0.7, 0.7]])
    near = neighbours(centres, 2000, np.zeros(2, dtype=int), rng)
    steps = np.sqrt(((near[:, None, :] - centres[None]) ** 2).sum(axis=2))
    for place in range(len(centres)):
        mine = steps[steps.argmin(axis=1) == place, place]
        assert np.quantile(mine, 0.1) < 0.01
        assert np.quantile(mine, 0.9) > 0.1


def test_a_category_moves_more_seldom_than_a_number(rng):
    centre = np.array([[0.5, 1 / 6]])
    near = neighbours(centre, 2000, np.array([0, 3]), rng)
    number, category = (near != centre).mean(axis=0)
    assert 0.05 < category < number / 2


def test_neighbours_on_a_bound_do_not_gather_there(rng):
    near = neighbours(np.ones((1, 1)), 1000, np.zeros(1, dtype=int), rng)
    assert (near < 1).all()
    assert np.median(1 - near) > 0.005
