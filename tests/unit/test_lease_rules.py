"""Who holds an experiment, judged without files, clocks or processes."""

from __future__ import annotations

import pytest

from hopsml_flows.storage.lease_rules import Holder, Life, Watch, first_look

HOLDER = Holder("token", {"host": "node1", "pid": 17}, 10.0)


@pytest.mark.parametrize(("lives", "life"), [(True, Life.LIVES), (False, Life.DEAD)])
@pytest.mark.parametrize("silent", [None, 0.0, 1e6])
def test_a_process_of_this_machine_says_whether_the_holder_lives(lives, life, silent):
    assert first_look(HOLDER, lives=lives, silent=silent) is life


@pytest.mark.parametrize(
    ("silent", "life"),
    [(None, Life.UNKNOWN), (-50.0, Life.UNKNOWN), (100.0, Life.UNKNOWN), (121.0, Life.DEAD)],
)
def test_a_holder_elsewhere_is_dead_at_once_only_when_storage_has_not_heard_of_it_for_long(
    silent, life
):
    assert first_look(HOLDER, lives=None, silent=silent) is life


def test_a_beat_that_changes_is_life():
    watch = Watch(HOLDER, b"1", now=100.0)
    assert watch.look(b"1", 109.0) is Life.UNKNOWN
    assert watch.look(b"2", 110.0) is Life.LIVES


def test_a_beat_that_stands_still_for_three_intervals_is_death():
    watch = Watch(HOLDER, b"1", now=100.0)
    assert watch.look(b"1", 130.0) is Life.UNKNOWN
    assert watch.look(b"1", 135.0) is Life.DEAD
    assert Watch(HOLDER, None, now=0.0).look(None, 35.0) is Life.DEAD


def test_a_beat_that_comes_with_the_last_look_is_life():
    assert Watch(HOLDER, b"1", now=0.0).look(b"2", 99.0) is Life.LIVES


def test_a_first_beat_is_life_and_a_beat_that_is_being_replaced_is_no_death():
    watch = Watch(HOLDER, None, now=0.0)
    assert watch.look(None, 1.0) is Life.UNKNOWN
    assert watch.look(b"1", 2.0) is Life.LIVES
    assert Watch(HOLDER, b"1", now=0.0).look(None, 1.0) is Life.UNKNOWN


def test_a_lease_file_tells_its_holder():
    assert Holder.from_json(HOLDER.to_json(), seconds=3.0) == HOLDER


@pytest.mark.parametrize(
    "text", ["", "nonsense", "null", "[]", "{}", '{"token": "a", "process": 3, "seconds": 1}']
)
def test_a_damaged_lease_file_is_held_by_an_unknown_process(text):
    holder = Holder.from_json(text, seconds=3.0)
    assert (holder.host, holder.pid, holder.seconds) == ("an unknown host", "unknown", 3.0)


@pytest.mark.parametrize("seconds", ["-1", "0", "1e9", "NaN"])
def test_an_interval_that_cannot_be_is_not_believed(seconds):
    text = f'{{"token": "a", "process": {{}}, "seconds": {seconds}}}'
    assert Holder.from_json(text, seconds=3.0).seconds == 3.0
