from __future__ import annotations

import pytest

from hopsml_flows.trials import (
    ClockTicked,
    GroupEnded,
    ReportShortage,
    SeatQueue,
    SeatsMissing,
    SeatsTaken,
    SeatTrial,
    TrialQueued,
    TrialWithdrawn,
)


def queue_of(*numbers, attempt=1, wait=None):
    queue = SeatQueue(wait)
    for number in numbers:
        assert queue.handle(TrialQueued(number, attempt)) == []
    return queue


def missed(queue, now):
    """Let a look find no seats; what follows."""
    assert len(queue.handle(ClockTicked(now))) == 1
    return queue.handle(SeatsMissing("4 workers", now))


def test_trials_get_seats_in_the_order_of_the_queue_until_there_are_none():
    queue = queue_of(3, 1, 2)
    assert queue.handle(ClockTicked(0.0)) == [SeatTrial(3)]
    assert queue.handle(SeatsTaken()) == [SeatTrial(1)]
    assert queue.handle(SeatsMissing("2 workers", 0.0)) == []
    assert queue.handle(ClockTicked(0.6)) == [SeatTrial(1)]
    assert queue.handle(SeatsTaken()) == [SeatTrial(2)]
    assert queue.handle(SeatsTaken()) == []
    assert queue.handle(ClockTicked(9.0)) == []


def test_seats_are_looked_for_twice_a_second_and_at_once_when_a_group_ends():
    queue = queue_of(1, 2)
    queue.handle(ClockTicked(0.0))
    queue.handle(SeatsTaken())
    assert queue.handle(SeatsMissing("2 workers", 0.0)) == []
    assert queue.handle(ClockTicked(0.4)) == []
    queue.handle(GroupEnded())
    assert queue.handle(ClockTicked(0.4)) == [SeatTrial(2)]


@pytest.mark.parametrize(
    ("attempt", "wait", "limit"), [(1, None, 20.0), (2, None, 60.0), (1, 3.0, 3.0), (2, 0.0, 0.0)]
)
def test_too_few_workers_are_reported_after_the_wait(attempt, wait, limit):
    queue = queue_of(1, attempt=attempt, wait=wait)
    assert missed(queue, 100.0) == []
    assert missed(queue, 100.0 + max(limit, 0.5) - (limit > 0.5) * 0.1) == (
        [] if limit > 0.5 else [ReportShortage("4 workers")]
    )
    assert missed(queue, 101.0 + limit) == [ReportShortage("4 workers")]


def test_while_a_group_runs_its_seats_are_waited_for_without_limit():
    queue = queue_of(1, 2, wait=1.0)
    queue.handle(ClockTicked(0.0))
    queue.handle(SeatsTaken())
    assert queue.handle(SeatsMissing("4 workers", 0.0)) == []
    assert missed(queue, 1e6) == []
    queue.handle(GroupEnded())
    assert missed(queue, 1e6 + 1) == []  # the wait begins now
    assert missed(queue, 1e6 + 3) == [ReportShortage("4 workers")]


def test_a_withdrawn_trial_gets_no_seats_and_the_next_one_has_a_wait_of_its_own():
    queue = queue_of(1, 2, wait=5.0)
    assert missed(queue, 0.0) == []
    assert queue.handle(TrialWithdrawn(1)) == []
    assert missed(queue, 6.0) == []
    assert queue.handle(ClockTicked(6.5)) == [SeatTrial(2)]
    assert queue.handle(TrialWithdrawn(2)) == []
    assert queue.handle(ClockTicked(9.0)) == []
