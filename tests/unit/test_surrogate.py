from __future__ import annotations

import numpy as np
import pytest

from hopsml_flows.search.surrogate import CubicSurrogate

NUMBERS = np.zeros(3, dtype=int)


def bowl(points):
    return ((points - 0.4) ** 2).sum(axis=1)


def rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_it_ranks_points_it_has_not_seen(rng):
    points, unseen = rng.random((40, 3)), rng.random((60, 3))
    model = CubicSurrogate(points, bowl(points), NUMBERS)
    good = bowl(unseen) < np.quantile(bowl(points), 0.75)
    assert rank_correlation(model.predict(unseen)[good], bowl(unseen)[good]) > 0.9


def test_it_knows_the_points_it_was_given(rng):
    points = rng.random((20, 3))
    losses = rng.random(20)
    model = CubicSurrogate(points, losses, NUMBERS)
    below = np.flatnonzero(losses < np.quantile(losses, 0.75))
    predicted = model.predict(points)
    assert np.argsort(predicted[below]).tolist() == np.argsort(losses[below]).tolist()


def test_only_differences_of_the_losses_matter_not_their_unit(rng):
    points, unseen = rng.random((30, 3)), rng.random((20, 3))
    plain = CubicSurrogate(points, bowl(points), NUMBERS).predict(unseen)
    scaled = CubicSurrogate(points, 1e6 * bowl(points) - 5e7, NUMBERS).predict(unseen)
    assert np.argsort(plain).tolist() == np.argsort(scaled).tolist()


def test_one_enormous_loss_does_not_bend_it(rng):
    points, unseen = rng.random((40, 3)), rng.random((60, 3))
    losses = bowl(points)
    losses[np.argmax(losses)] = 1e30
    model = CubicSurrogate(points, losses, NUMBERS)
    good = bowl(unseen) < np.quantile(bowl(points), 0.75)
    assert rank_correlation(model.predict(unseen)[good], bowl(unseen)[good]) > 0.9


def test_it_learns_which_category_is_good(rng):
    categories = np.array([0, 4])
    points = np.column_stack([rng.random(40), (rng.integers(4, size=40) + 0.5) / 4])
    losses = (points[:, 0] - 0.5) ** 2 + np.where(points[:, 1] == 0.625, 0.0, 1.0)
    model = CubicSurrogate(points, losses, categories)
    asked = np.array([[0.5, (place + 0.5) / 4] for place in range(4)])
    assert int(np.argmin(model.predict(asked))) == 2


@pytest.mark.parametrize("count", [5, 6, 30])
def test_losses_that_are_all_the_same_and_points_on_a_line_are_no_error(count, rng):
    points = np.repeat(rng.random((count, 1)), 3, axis=1)
    for losses in (np.full(count, 0.5), points[:, 0]):
        predicted = CubicSurrogate(points, losses, NUMBERS).predict(points)
        assert np.isfinite(predicted).all()


def test_points_that_coincide_are_no_error():
    points = np.full((8, 3), 0.5)
    points[0] = 0.1
    predicted = CubicSurrogate(points, np.arange(8.0), NUMBERS).predict(points)
    assert np.isfinite(predicted).all()


def test_the_same_points_give_the_same_ranking_in_any_batch(rng):
    points, unseen = rng.random((30, 3)), rng.random((10, 3))
    one, other = (CubicSurrogate(points, bowl(points), NUMBERS) for _ in range(2))
    whole = one.predict(unseen)
    assert whole.tolist() == other.predict(unseen).tolist()
    singly = [float(other.predict(point[None, :])[0]) for point in unseen]
    assert singly == pytest.approx(whole.tolist(), abs=1e-8)
