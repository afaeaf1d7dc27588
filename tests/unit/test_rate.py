from __future__ import annotations

from hopsml_flows.trials import Rate


def done(rate, times):
    return [rate.take(now) for now in times]


def test_a_burst_passes_and_then_so_many_a_second():
    rate = Rate(burst=3, per_second=2)
    assert done(rate, [0, 0, 0, 0]) == [True, True, True, False]
    assert done(rate, [0.25, 0.5, 0.75, 1.0, 1.0]) == [False, True, False, True, False]


def test_after_a_rest_a_burst_passes_again_but_no_more():
    rate = Rate(burst=2, per_second=1)
    done(rate, [0, 0])
    assert done(rate, [100, 100, 100]) == [True, True, False]


def test_a_clock_that_stands_or_steps_back_earns_nothing():
    rate = Rate(burst=1, per_second=1)
    assert done(rate, [10, 10, 9, 10.5, 11]) == [True, False, False, False, True]


def test_so_many_pass_at_once_and_so_many_a_second():
    rate = Rate(burst=3, per_second=2)
    assert [rate.take(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [rate.take(0.4), rate.take(0.5), rate.take(0.6)] == [False, True, False]
    assert [rate.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_it_tells_when_it_may_be_done_again():
    rate = Rate(burst=1, per_second=2)
    assert rate.take(7.0)
    assert rate.again == 7.5
    assert not rate.take(7.25)
    assert rate.again == 7.5
    assert rate.take(rate.again)
