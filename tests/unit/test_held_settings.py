"""Settings of the process that overlapping experiments hold, and what is left of them."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading

import dask
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hopsml_flows.cluster.process_settings import (
    Held,
    held_config,
    held_level,
    held_spawn_environment,
    held_switch_interval,
)


class Cell:
    def __init__(self, value):
        self.value = value

    def held(self):
        return Held(lambda: self.value, lambda value: setattr(self, "value", value))


def test_the_first_one_sets_it_and_the_last_one_puts_it_back():
    cell = Cell("user")
    held = cell.held()
    first, second = held.at("ours"), held.at("ours")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cell.value == "ours"  # the second one needs it yet
    second.__exit__(None, None, None)
    assert cell.value == "user"


def test_what_the_user_changed_meanwhile_stays():
    cell = Cell("user")
    with cell.held().at("ours"):
        cell.value = "user's new"
    assert cell.value == "user's new"


def test_one_that_comes_after_the_user_changed_it_puts_that_back():
    cell = Cell("user")
    held = cell.held()
    with held.at("ours"):
        cell.value = "user's new"
        with held.at("ours"):
            assert cell.value == "ours"
        assert cell.value == "ours"
    assert cell.value == "user's new"


def test_of_different_wishes_the_latest_counts_and_then_the_one_before():
    cell = Cell(0)
    held = cell.held()
    with held.at(1):
        with held.at(2):
            assert cell.value == 2
        assert cell.value == 1
    assert cell.value == 0


def test_it_is_put_back_when_the_block_raises():
    cell = Cell("user")
    with contextlib.suppress(LookupError), cell.held().at("ours"):
        raise LookupError
    assert cell.value == "user"


class Overlapping(RuleBasedStateMachine):
    """Experiments come and go in any order, and a user changes the setting in between."""

    def __init__(self):
        super().__init__()
        self.cell = Cell("user 0")
        self.held = self.cell.held()
        self.users = 0
        self.inside = []
        self.wanted = self.cell.value

    @rule(value=st.sampled_from(["ours", "theirs"]))
    def enter(self, value):
        block = self.held.at(value)
        block.__enter__()
        self.inside.append(block)
        assert self.cell.value == value

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 100))
    def leave(self, which):
        self.inside.pop(which % len(self.inside)).__exit__(None, None, None)

    @rule()
    def the_user_changes_it(self):
        self.users += 1
        self.wanted = self.cell.value = f"user {self.users}"

    @invariant()
    def without_experiments_it_is_what_the_user_set_last(self):
        if not self.inside:
            assert self.cell.value == self.wanted


TestOverlapping = Overlapping.TestCase
TestOverlapping.settings = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize("before", [None, 3])
def test_dasks_settings_are_as_before_also_where_there_was_none(before):
    name = "distributed.scheduler.hopsml-test"
    with dask.config.set({name: before}) if before is not None else contextlib.nullcontext():
        with held_config({name: 0}):
            assert dask.config.get(name) == 0
        assert dask.config.get(name, None) == before


def test_levels_and_the_switch_interval_are_as_before():
    logger = logging.getLogger("hopsml.test.held")
    before = sys.getswitchinterval()
    with held_level(logger.name, logging.ERROR), held_switch_interval(0.0005):
        assert logger.level == logging.ERROR
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert logger.level == logging.NOTSET
    assert sys.getswitchinterval() == pytest.approx(before)


def test_what_nannies_leave_in_the_environment_is_taken_out_again(monkeypatch):
    from distributed import nanny

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    before = dict(os.environ)
    with held_spawn_environment():
        written = nanny._get_env_variables("distributed.nanny.pre-spawn-environ")
        os.environ.update({**written, "PYTHONHASHSEED": "6640"})  # as WorkerProcess.start does
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert os.environ["MKL_NUM_THREADS"] == "4"
    assert dict(os.environ) == before


def test_threads_that_overlap_leave_it_as_it_was():
    cell = Cell("user")
    held = cell.held()
    barrier = threading.Barrier(8)

    def experiment():
        barrier.wait()
        for _ in range(200):
            with held.at("ours"):
                assert cell.value == "ours"

    threads = [threading.Thread(target=experiment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cell.value == "user"
