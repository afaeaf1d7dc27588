"""How often the driver asks the scheduler for what it uses in each round of its loop."""

from __future__ import annotations

import pytest

from hopsml_flows.driver import recent_value
from hopsml_flows.driver.recent_value import RecentValue


@pytest.fixture
def late():
    """Answers that come in time or not; the second one does not."""
    answers = iter([2, TimeoutError("no answer"), 3])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_the_scheduler_is_not_asked_in_each_round(monkeypatch, late):
    monkeypatch.setattr(recent_value, "_SECONDS", 1000.0)
    slots = RecentValue(late)
    assert [slots.get() for _ in range(1000)] == [2] * 1000


def test_an_old_value_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(recent_value, "_SECONDS", 0.0)
    answers = iter(range(5))
    slots = RecentValue(lambda: next(answers))
    assert [slots.get() for _ in range(5)] == [0, 1, 2, 3, 4]


def test_while_a_scheduler_does_not_answer_the_last_value_counts(late):
    slots = RecentValue(late)
    found = []
    for _ in range(3):
        found.append(slots.get())
        slots.forget()
    assert found == [2, 2, 3]


def test_a_scheduler_that_never_answered_is_an_error():
    def ask():
        raise TimeoutError("the scheduler did not answer")

    with pytest.raises(TimeoutError, match="the scheduler did not answer"):
        RecentValue(ask).get()
