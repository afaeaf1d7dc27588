from __future__ import annotations

import math

import numpy as np
import pytest

from hopsml_flows.search.evolution.success_history import Success, SuccessHistory


def draws(memory, count=400, seed=1):
    rng = np.random.default_rng(seed)
    return np.array([memory.draw(rng) for _ in range(count)])


@pytest.mark.parametrize(("mutation", "crossover"), [(0.5, 0.7), (1e-6, 0.0), (1.0, 1.0)])
def test_draws_are_control_parameters_whatever_it_begins_with(mutation, crossover):
    drawn = draws(SuccessHistory(mutation, crossover))
    assert (drawn[:, 0] > 0).all()
    assert (drawn[:, 0] <= 1).all()
    assert (drawn[:, 1] >= 0).all()
    assert (drawn[:, 1] <= 1).all()


def test_draws_scatter_around_where_it_begins():
    drawn = draws(SuccessHistory(0.5, 0.7))
    assert np.median(drawn[:, 0]) == pytest.approx(0.5, abs=0.05)
    assert drawn[:, 1].mean() == pytest.approx(0.7, abs=0.05)
    assert len(np.unique(drawn[:, 1])) > 100


def test_it_moves_to_what_succeeded():
    memory = SuccessHistory(0.5, 0.5)
    for _ in range(10):
        memory.learn([Success(0.9, 0.1, gain=1.0)] * 3)
    drawn = draws(memory)
    assert np.median(drawn[:, 0]) > 0.8
    assert np.median(drawn[:, 1]) < 0.2


def test_it_remembers_more_than_the_last_generation():
    memory = SuccessHistory(0.5, 0.5)
    for _ in range(10):
        memory.learn([Success(0.5, 0.1, gain=1.0)])
    memory.learn([Success(0.5, 0.9, gain=1.0)])
    drawn = draws(memory)[:, 1]
    assert 0.05 < (drawn > 0.5).mean() < 0.5


def test_a_larger_gain_weighs_more():
    means = []
    for gains in ((1.0, 99.0), (99.0, 1.0)):
        memory = SuccessHistory(0.5, 0.5)
        for _ in range(10):
            memory.learn([Success(0.5, 0.1, gains[0]), Success(0.5, 0.9, gains[1])])
        means.append(draws(memory)[:, 1].mean())
    assert means[0] > 0.7
    assert means[1] < 0.3


def test_a_generation_without_success_changes_nothing():
    memory = SuccessHistory(0.5, 0.7)
    before = draws(memory)
    memory.learn([])
    assert (draws(memory) == before).all()


@pytest.mark.parametrize(
    "gains", [[0.0], [0.0, 0.0], [5e-324] * 2, [math.inf], [math.inf, 1.0], [1.7e308] * 9]
)
def test_gains_that_say_nothing_or_everything_leave_it_usable(gains):
    memory = SuccessHistory(0.5, 0.7)
    for _ in range(10):
        memory.learn([Success(0.9, 0.2, gain) for gain in gains])
    drawn = draws(memory)
    assert np.isfinite(drawn).all()
    assert np.median(drawn[:, 0]) > 0.8


def test_crossover_rates_of_zero_are_learned_too():
    memory = SuccessHistory(0.5, 0.7)
    for _ in range(10):
        memory.learn([Success(0.5, 0.0, 1.0)] * 4)
    drawn = draws(memory)
    assert np.isfinite(drawn).all()
    assert np.median(drawn[:, 1]) < 0.1
