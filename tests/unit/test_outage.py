"""How long a driver puts up with a storage that takes nothing."""

from __future__ import annotations

from hopsml_flows.trials import Outage

REFUSED = PermissionError("token expired")


def test_an_outage_begins_with_the_first_refusal_and_ends_with_a_success():
    outage = Outage(90.0)
    assert not outage.is_on
    assert outage.failed(REFUSED, 100.0)
    assert not outage.failed(REFUSED, 101.0)
    assert outage.is_on
    outage.worked()
    assert not outage.is_on
    assert outage.failed(REFUSED, 102.0)


def test_it_is_tried_again_ever_more_rarely():
    outage, now, tries = Outage(90.0), 0.0, []
    while now < 60.0:
        if not outage.is_on or outage.is_due(now):
            outage.failed(REFUSED, now)
            tries.append(now)
        now += 0.5
    assert tries == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5, 39.5, 47.5, 55.5]


def test_the_patience_counts_from_the_first_refusal():
    outage = Outage(90.0)
    assert not outage.is_hopeless(1e9)
    outage.failed(REFUSED, 10.0)
    outage.failed(REFUSED, 99.0)
    assert not outage.is_hopeless(99.9)
    assert outage.is_hopeless(100.0)
    assert outage.error is REFUSED
