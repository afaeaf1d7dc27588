from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction, ListSearch


def search_of(count=3, **options):
    return ListSearch([{"x": i} for i in range(count)], **options)


def test_ids_count_from_one_in_the_order_of_asking():
    search = search_of(4)
    assert [p.id for p in search.ask(3)] == [1, 2, 3]
    assert [p.id for p in search.ask()] == [4]
    assert search.ask() == []


def test_asking_for_none_gives_none():
    search = search_of()
    assert search.ask(0) == []
    assert [p.id for p in search.ask(1)] == [1]


def test_a_negative_count_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"^count: "):
        search_of().ask(-1)


@pytest.mark.parametrize("proposal", [2, 0, 99, "1", None])
def test_telling_of_what_nobody_asked_for_is_refused(proposal):
    search = search_of()
    search.ask(1)
    with pytest.raises(InvalidArgumentError, match=r"^proposal_id: "):
        search.tell(proposal, 0.5)


def test_telling_twice_is_refused_and_changes_nothing():
    search = search_of()
    search.ask(1)
    search.tell(1, 0.5)
    with pytest.raises(InvalidArgumentError, match="pending"):
        search.tell(1, 0.9)
    assert search.best.value == 0.5


def test_value_and_failure_exclude_each_other():
    search = search_of()
    search.ask(1)
    with pytest.raises(InvalidArgumentError):
        search.tell(1)
    with pytest.raises(InvalidArgumentError):
        search.tell(1, 0.5, failure="no")
    search.tell(1, 0.5)
    assert search.best.value == 0.5


@pytest.mark.parametrize("value", ["0.9", True, [0.9], {"metric": 0.9}])
def test_a_value_that_is_no_number_is_refused_and_the_proposal_stays_pending(value):
    search = search_of()
    search.ask(1)
    with pytest.raises(InvalidArgumentError, match=r"^value: "):
        search.tell(1, value)
    search.tell(1, 0.5)
    assert search.best.value == 0.5


def test_a_numpy_value_is_a_number():
    search = search_of()
    search.ask(1)
    search.tell(1, np.float32(0.5))
    assert search.best.value == 0.5
    assert type(search.best.value) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_value_that_is_not_finite_counts_as_a_failure_even_as_the_first(value):
    search = search_of()
    search.ask()
    search.tell(1, value)
    assert search.best is None
    search.tell(2, -5.0)
    assert search.best.value == -5.0


def test_the_best_of_negative_metrics_is_found():
    search = search_of()
    search.ask()
    for proposal, value in [(1, -3.0), (2, -1.0), (3, -2.0)]:
        search.tell(proposal, value)
    assert search.best.proposal.params == {"x": 1}


def test_the_direction_decides_what_is_best():
    search = search_of(direction="min")
    assert search.direction is Direction.MIN
    search.ask()
    for proposal, value in [(1, 3.0), (2, 1.0), (3, 2.0)]:
        search.tell(proposal, value)
    assert search.best.value == 1.0


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_of_equal_metrics_the_lowest_number_is_the_best_whichever_is_told_first(direction, order):
    search = search_of(direction=direction)
    search.ask()
    for number in order:
        search.tell(number, 1.0)
    assert search.best.proposal.id == 1


def test_a_better_metric_is_the_best_whatever_its_number():
    search = search_of()
    search.ask()
    for number, value in [(2, 1.0), (3, 2.0), (1, 1.0)]:
        search.tell(number, value)
    assert search.best.proposal.id == 3


def test_an_unknown_direction_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"^direction: "):
        search_of(direction="up")
