from __future__ import annotations

import math

import numpy as np
import pytest

from hopsml_flows.search.evolution.surrogate import Surrogate

NUMBERS = np.zeros(3, dtype=int)


def bowl(points):
    return ((points - 0.4) ** 2).sum(axis=1)


def rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


def in_order(count):
    return list(range(count))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


# What it predicts


def test_it_tells_good_points_apart_below_a_cliff_of_many_sizes(rng):
    """On a straight scale all losses below the thousandth of the largest look alike."""

    def canyon(points):
        return 10 ** (6 * bowl(points))

    points, unseen = rng.random((30, 3)), rng.random((200, 3))
    mean, _ = Surrogate(points, canyon(points), NUMBERS).predict(unseen)
    good = canyon(unseen) < np.median(canyon(points))
    assert rank_correlation(mean[good], canyon(unseen)[good]) > 0.8


def test_half_of_the_losses_may_be_equal(rng):
    points = rng.random((20, 3))
    losses = np.where(points[:, 0] < 0.7, 0.0, 1.0)
    losses[0] = 1e-300
    mean, deviation = Surrogate(points, losses, NUMBERS).predict(points)
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()


def test_it_ranks_points_it_has_not_seen(rng):
    points, unseen = rng.random((40, 3)), rng.random((60, 3))
    mean, _ = Surrogate(points, bowl(points), NUMBERS).predict(unseen)
    good = bowl(unseen) < np.quantile(bowl(points), 0.85)
    assert rank_correlation(mean[good], bowl(unseen)[good]) > 0.95


def test_it_knows_the_points_it_was_given_and_is_sure_of_them(rng):
    points, losses = rng.random((30, 3)), rng.random(30)
    model = Surrogate(points, losses, NUMBERS)
    mean, deviation = model.predict(points)
    kept = np.flatnonzero(losses < np.quantile(losses, 0.9))
    assert np.argsort(mean[kept]).tolist() == np.argsort(losses[kept]).tolist()
    assert deviation.max() < 0.05 * model.predict(rng.random((50, 3)))[1].mean()


def test_it_is_the_less_sure_the_farther_a_point_is_from_those_it_knows(rng):
    points = 0.1 * rng.random((20, 3))
    model = Surrogate(points, np.sin(40 * points).sum(axis=1), NUMBERS)
    away = points[0] + np.linspace(0.0, 0.9, 10)[:, None]
    _, deviation = model.predict(away)
    assert (np.diff(deviation) >= 0).all()
    assert deviation[-1] > 10 * deviation[0]


@pytest.mark.parametrize(
    ("unit", "offset"),
    [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e3), (1e6, -5e7), (1e300, 0.0), (2.0, -0.25)],
)
def test_neither_the_unit_nor_the_offset_of_the_losses_matters(unit, offset, rng):
    points, unseen = rng.random((30, 3)), rng.random((20, 3))
    plain = Surrogate(points, bowl(points), NUMBERS)
    other = Surrogate(points, unit * bowl(points) + offset, NUMBERS)
    for one, another in zip(plain.predict(unseen), other.predict(unseen), strict=True):
        assert another == pytest.approx(one, abs=1e-6)
    assert other.order(unseen) == plain.order(unseen)


@pytest.mark.parametrize("enormous", [1e6, 1e30])
def test_one_enormous_loss_does_not_bend_it(enormous, rng):
    points, unseen = rng.random((40, 3)), rng.random((60, 3))
    losses = bowl(points)
    losses[np.argmax(losses)] = enormous
    mean, _ = Surrogate(points, losses, NUMBERS).predict(unseen)
    good = bowl(unseen) < np.quantile(bowl(points), 0.85)
    assert rank_correlation(mean[good], bowl(unseen)[good]) > 0.95


@pytest.mark.parametrize("spread", [1.7e308, 5e-324])
def test_losses_at_the_ends_of_what_floats_hold_are_no_error(spread, rng):
    points = rng.random((20, 3))
    losses = spread * rng.choice([-1.0, 0.0, 1.0], 20)
    model = Surrogate(points, losses, NUMBERS)
    assert all(np.isfinite(found).all() for found in model.predict(rng.random((20, 3))))


@pytest.mark.parametrize("count", [1, 2, 6, 30])
@pytest.mark.parametrize("loss", [0.0, 0.1, -1e30])
def test_losses_that_are_all_the_same_are_no_error(count, loss, rng):
    points, unseen = rng.random((count, 3)), rng.random((9, 3))
    model = Surrogate(points, np.full(count, loss), NUMBERS)
    mean, deviation = model.predict(unseen)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()
    assert sorted(model.order(unseen)) == in_order(9)


def test_it_learns_which_category_is_good(rng):
    categories = np.array([0, 4])
    points = np.column_stack([rng.random(40), (rng.integers(4, size=40) + 0.5) / 4])
    losses = (points[:, 0] - 0.5) ** 2 + np.where(points[:, 1] == 0.625, 0.0, 1.0)
    model = Surrogate(points, losses, categories)
    asked = np.array([[0.5, (place + 0.5) / 4] for place in range(4)])
    assert int(np.argmin(model.predict(asked)[0])) == 2
    assert model.order(asked)[0] == 2


def test_categories_have_no_order(rng):
    places = (rng.integers(3, size=30) + 0.5) / 3
    turned = np.choose(np.floor(places * 3).astype(int), [2.5 / 3, 0.5 / 3, 1.5 / 3])
    numbers, losses = rng.random(30), rng.random(30)
    one, other = (
        Surrogate(np.column_stack([numbers, cells]), losses, np.array([0, 3]))
        for cells in (places, turned)
    )
    asked = rng.random(12)
    for cell, moved in [(0.5, 2.5), (1.5, 0.5), (2.5, 1.5)]:
        first, _ = one.predict(np.column_stack([asked, np.full(12, cell / 3)]))
        second, _ = other.predict(np.column_stack([asked, np.full(12, moved / 3)]))
        assert second == pytest.approx(first, abs=1e-6)


def test_a_parameter_that_does_not_matter_gets_a_longer_length(rng):
    points = rng.random((50, 2))
    model = Surrogate(points, np.sin(9 * points[:, 0]), np.array([0, 0]))
    assert model.lengths.shape == (2,)
    assert model.lengths[1] > model.lengths[0] + math.log(3)


# Odd points


@pytest.mark.parametrize("count", [2, 5, 30])
def test_points_on_a_line_are_no_error(count, rng):
    points = np.repeat(rng.random((count, 1)), 3, axis=1)
    model = Surrogate(points, points[:, 0], NUMBERS)
    assert all(np.isfinite(found).all() for found in model.predict(rng.random((9, 3))))


@pytest.mark.parametrize("copies", [2, 15])
def test_points_that_coincide_are_no_error_whatever_their_losses(copies, rng):
    points = np.repeat(rng.random((5, 3)), copies, axis=0)
    for losses in (bowl(points), rng.random(len(points))):
        model = Surrogate(points, losses, NUMBERS)
        assert all(np.isfinite(found).all() for found in model.predict(points))
        assert sorted(model.order(points)) == in_order(len(points))


def test_points_that_are_all_the_same_are_no_error(rng):
    points = np.full((8, 3), 0.5)
    model = Surrogate(points, np.arange(8.0), NUMBERS)
    assert all(np.isfinite(found).all() for found in model.predict(rng.random((9, 3))))


def test_one_parameter(rng):
    points, unseen = np.linspace(0.05, 0.95, 7)[:, None], np.linspace(0.0, 1.0, 41)[:, None]
    model = Surrogate(points, bowl(points), np.array([0]))
    mean, _ = model.predict(unseen)
    assert abs(float(unseen[np.argmin(mean)][0]) - 0.4) < 0.1
    assert abs(float(unseen[model.order(unseen)[0]][0]) - 0.4) < 0.1


def test_fifty_parameters_of_which_half_are_categories(rng):
    categories = np.array([0, 5] * 25)
    points = (np.floor(rng.random((60, 50)) * 5) + 0.5) / 5
    model = Surrogate(points, points[:, 0], categories)
    unseen = (np.floor(rng.random((10, 50)) * 5) + 0.5) / 5
    assert sorted(model.order(unseen)) == in_order(10)


def test_four_hundred_points(rng):
    points, unseen = rng.random((400, 3)), rng.random((60, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    mean, deviation = model.predict(unseen)
    good = bowl(unseen) < np.quantile(bowl(points), 0.85)
    assert rank_correlation(mean[good], bowl(unseen)[good]) > 0.99
    assert np.isfinite(deviation).all()
    assert sorted(model.order(unseen)) == in_order(60)


# The order of candidates


def test_the_order_is_a_permutation_and_the_same_every_time(rng):
    points, candidates = rng.random((30, 3)), rng.random((25, 3))
    one, other = (Surrogate(points, bowl(points), NUMBERS) for _ in range(2))
    order = one.order(candidates)
    assert sorted(order) == in_order(25)
    assert all(type(place) is int for place in order)
    assert one.order(candidates) == other.order(candidates) == order
    assert one.lengths.tolist() == other.lengths.tolist()


def test_candidates_keep_their_order_among_themselves_in_any_batch(rng):
    points, candidates = rng.random((30, 3)), rng.random((25, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    order = model.order(candidates)
    assert model.order(candidates[order]) == in_order(25)
    assert model.order(candidates[::-1]) == [24 - place for place in order]
    assert model.order(candidates[order[5:9]]) == in_order(4)


def test_candidates_that_coincide_stay_as_they_came(rng):
    points = rng.random((20, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    assert model.order(np.repeat(rng.random((1, 3)), 5, axis=0)) == in_order(5)


def test_no_candidates_and_one(rng):
    points = rng.random((20, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    assert model.order(np.zeros((0, 3))) == []
    assert model.order(rng.random((1, 3))) == [0]


def test_what_may_be_better_comes_before_what_is_known_to_be_no_better():
    points = np.array([[0.05], [0.1], [0.15], [0.2], [0.25], [0.3]])
    model = Surrogate(points, np.array([3.0, 1.0, 2.0, 0.0, 3.0, 2.0]), np.array([0]))
    known_best, unknown = points[3], np.array([0.9])
    assert model.order(np.array([known_best, unknown])) == [1, 0]


def test_of_candidates_it_is_as_sure_of_the_smaller_prediction_comes_first(rng):
    points = rng.random((60, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    mean, deviation = model.predict(points)
    assert np.ptp(deviation) < 1e-2
    assert bowl(points)[model.order(points)[0]] == bowl(points).min()
    assert rank_correlation(mean[model.order(points)], np.arange(60)) > 0.9


# The lengths it starts from


def test_it_starts_from_given_lengths_and_leaves_them_as_they_are(rng):
    points = rng.random((50, 3))
    first = Surrogate(points[:45], bowl(points[:45]), NUMBERS)
    given = first.lengths.copy()
    again = Surrogate(points, bowl(points), NUMBERS, first.lengths)
    assert first.lengths.tolist() == given.tolist()
    assert again.lengths.shape == (3,)
    # What fits the first points fits a few more.
    assert np.abs(again.lengths - given).max() <= 1.0

    unseen = rng.random((30, 3))
    mean, _ = again.predict(unseen)
    assert rank_correlation(mean, bowl(unseen)) > 0.95


@pytest.mark.parametrize("length", [0.03, 30.0])
def test_from_the_shortest_and_the_longest_lengths_it_finds_usable_ones(length, rng):
    points, unseen = rng.random((40, 3)), rng.random((60, 3))
    model = Surrogate(points, bowl(points), NUMBERS, np.full(3, math.log(length)))
    mean, _ = model.predict(unseen)
    good = bowl(unseen) < np.quantile(bowl(points), 0.85)
    assert rank_correlation(mean[good], bowl(unseen)[good]) > 0.9


def test_what_is_believed_keeps_the_predictions_and_makes_the_model_sure_there(rng):
    points, unseen = rng.random((30, 3)), rng.random((20, 3))
    model = Surrogate(points, bowl(points), NUMBERS)
    before, unsure = model.predict(unseen)
    model.believe(unseen[0])
    after, sure = model.predict(unseen)
    assert np.allclose(after, before)
    assert sure[0] < 0.1 * unsure[0]
    assert (sure <= unsure + 1e-9).all()
