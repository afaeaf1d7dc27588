"""The event file of a running trial's scalars, read back by TensorBoard's own reader."""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hopsml_flows.execution import Scalars
from hopsml_flows.execution import scalars as scalars_module
from hopsml_flows.execution.scalars import BURST
from hopsml_flows.storage import TrialFiles, is_own_file, scalars_file
from tests import events


@pytest.fixture
def scalars(tmp_path):
    scalars = Scalars(tmp_path / TrialFiles.SCALARS)
    yield scalars
    scalars.close()


def test_points_are_read_back_with_step_value_and_time_while_the_file_is_open(scalars, tmp_path):
    run = events.Run(tmp_path)
    scalars.write("loss", 0.5, 0, wall_time=10.0)
    scalars.write("accuracy", 0.75, 3)
    assert run.reload() == {"loss": [(0, 0.5)], "accuracy": [(3, 0.75)]}
    scalars.write("loss", 0.25, 1, wall_time=11.0)
    assert run.reload()["loss"] == [(0, 0.5), (1, 0.25)]
    assert run.times("loss") == [10.0, 11.0]


def test_without_a_scalar_there_is_no_file(tmp_path):
    Scalars(tmp_path / TrialFiles.SCALARS).close()
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_single_precision_and_nan_are_points_too(scalars, tmp_path):
    for step, value in enumerate([math.nan, math.inf, 1e300]):
        scalars.write("loss", value, step)
    (_, nan), *rest = events.scalars(tmp_path)["loss"]
    assert math.isnan(nan)
    assert rest == [(1, math.inf), (2, math.inf)]


def test_a_fast_curve_is_thinned_and_ends_with_its_last_point(scalars, tmp_path):
    last = 20 * BURST
    for step in range(last + 1):
        scalars.write("fast", step, step)
    scalars.write("slow", 1.0, 0)
    scalars.close()
    points = events.scalars(tmp_path)
    assert points["fast"][:BURST] == [(step, step) for step in range(BURST)]
    assert points["fast"][-1] == (last, last)
    assert len(points["fast"]) < last / 2
    steps = [step for step, _ in points["fast"]]
    assert steps == sorted(set(steps))
    assert points["slow"] == [(0, 1.0)]


def test_a_point_that_was_held_back_is_written_soon_without_a_further_one(
    scalars, tmp_path, monkeypatch
):
    monkeypatch.setattr(scalars_module, "HELD_SECONDS", 0.05)
    for step in range(3 * BURST):
        scalars.write("loss", 0.0, step)
    run, until = events.Run(tmp_path), time.monotonic() + 20
    while run.reload()["loss"][-1][0] != 3 * BURST - 1:
        assert time.monotonic() < until, "it was not written"
        time.sleep(0.02)


def test_threads_write_whole_records(scalars, tmp_path):
    def write(curve):
        for step in range(200):
            scalars.write(f"curve{curve}", step, step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    points = events.scalars(tmp_path)
    assert {tag: len(found) for tag, found in points.items()} == {
        f"curve{curve}": 200 for curve in range(8)
    }


def test_what_comes_after_the_end_is_lost_and_no_thread_stays(tmp_path):
    before = threading.active_count()
    scalars = Scalars(tmp_path / TrialFiles.SCALARS)
    for step in range(2 * BURST):
        scalars.write("loss", 1.0, step)
    scalars.close()
    size = (tmp_path / TrialFiles.SCALARS).stat().st_size
    scalars.write("loss", 2.0, 2 * BURST)
    scalars.close()
    assert (tmp_path / TrialFiles.SCALARS).stat().st_size == size
    until = time.monotonic() + 20
    while threading.active_count() > before:
        assert time.monotonic() < until, "the timer stayed"
        time.sleep(0.01)


def test_a_killed_process_loses_nothing_that_was_not_held_back(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from hopsml_flows.execution import Scalars\n"
        "scalars = Scalars(Path(sys.argv[1]))\n"
        "for step in range(100):\n"
        "    scalars.write('loss', step, step)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / TrialFiles.SCALARS], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(events.scalars(tmp_path)["loss"]) == 100


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's device that is always full")
def test_a_full_disk_ends_the_curves_with_one_warning_and_not_the_trial(caplog):
    scalars = Scalars(scalars_module.Path("/dev/full"))
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            scalars.write("loss", 1.0, step)
    scalars.close()
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "no more scalars of this trial are written"
    ]


def test_tensorboard_drops_the_points_of_an_earlier_attempt_and_reads_the_new_ones(tmp_path):
    """A new file under the name of one that it has read would be read from the middle."""
    run = events.Run(tmp_path)
    first, second = (tmp_path / scalars_file(began) for began in (None, 1764000000.5))
    earlier = Scalars(first)
    for step in range(50):
        earlier.write("loss", 1.0, step)
    earlier.close()
    assert len(run.reload()["loss"]) == 50
    first.unlink()
    again = Scalars(second)
    for step in range(3):
        again.write("loss", 0.0, step)
    again.close()
    assert run.reload()["loss"][1:] == [(0, 0.0), (1, 0.0), (2, 0.0)]


def test_the_file_sorts_between_the_hyperparameters_and_what_the_user_writes():
    users = "events.out.tfevents.1764000000.host.1.v2"
    names = [
        TrialFiles.EVENTS_START, TrialFiles.SCALARS, scalars_file(1764000000.5), users,
        TrialFiles.EVENTS_END,
    ]  # fmt: skip
    assert sorted(names) == names
    assert [is_own_file(name) for name in names] == [True, True, True, False, True]
    assert len({scalars_file(1764000000.5), scalars_file(1764000000.6), scalars_file()}) == 3
