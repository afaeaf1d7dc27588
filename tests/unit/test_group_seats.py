from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest

from hopsml_flows import distributed
from hopsml_flows.errors import MissingPackageError, NotInTrialError, UnsuitableKerasError
from hopsml_flows.execution import EventMakers, Job, packed
from hopsml_flows.execution.addressees import instruct
from hopsml_flows.execution.group import Begin, Process, SeatState, supervise
from hopsml_flows.execution.group import own_seats as seats
from hopsml_flows.execution.group.guard import guarded
from hopsml_flows.execution.group.seats import Seats
from hopsml_flows.execution.process import handle
from hopsml_flows.execution.process.handle import DEAF
from hopsml_flows.execution.process.messages import Listener
from hopsml_flows.execution.report_link import Instruction
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials import Framework, GroupShape, Phase, State, Trial
from tests.servers.processes import gone
from tests.waiting import wait_until

TWO = GroupShape(Framework.ANY, 2)
LEADER, FOLLOWER = TWO.members


def no_events(*_):
    return b""


@pytest.fixture
def run(project, tmp_path):
    """Run a process of a group in this one's stead of a worker; returns how it ended."""

    def start(function, member=LEADER, *, orders=(SeatState.BEGIN,), timeout=None, **changes):
        job = Job(
            function=packed(function, by_value=True),
            project=project,
            experiment_id="groups-1",
            optimization_key=None,
            needs_metric=False,
            local_logdir=False,
            directory=str(tmp_path),
            scratch=str(tmp_path),
            trial_timeout=timeout,
            reports=changes.get("topic"),
        )
        process = Process(
            "one", member, TWO, "mirrored", environment=changes.pop("environment", {})
        )
        abandoned = threading.Event()
        seats.reserve("tcp://w", "one", 1)
        for order in orders:
            if isinstance(order, float):
                timer = threading.Timer(order, abandoned.set)
                timer.daemon = True
                timer.start()
            else:
                begins = {"tcp://w": Begin({"RANK": "7"}, changes.get("gpus", ()))}
                seats.tell("tcp://w", "one", order, begins)
        return supervise(
            job,
            Trial(1, "0001", {}),
            process,
            "tcp://w",
            EventMakers(no_events, no_events),
            abandoned=abandoned.is_set,
            listener=changes.get("listener", DEAF),
        )

    yield start
    assert seats.view("tcp://w").busy is False


def ended_when(is_so):
    """Give the order to stop when something is so."""

    def watch():
        while not is_so():
            time.sleep(0.02)
        seats.tell("tcp://w", "one", SeatState.STOP)

    threading.Thread(target=watch, daemon=True).start()


def has_finished():
    return seats.phase("tcp://w", "one") is Phase.FINISHED


def test_a_worker_has_one_seat_whose_ports_nobody_else_gets_by_chance():
    own = Seats()
    (port,) = own.reserve("w", "one", 1)
    assert own.reserve("w", "two", 1) is None
    assert own.view("w").busy
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    own.tell("w", "two", SeatState.STOP)  # somebody else's order
    assert own.view("w").busy
    own.tell("w", "one", SeatState.STOP)
    assert not own.view("w").busy
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_a_reservation_whose_task_never_comes_is_void(monkeypatch):
    own = Seats()
    own.reserve("w", "one", 1)
    monkeypatch.setattr("hopsml_flows.execution.group.seats.LEASE_SECONDS", -1.0)
    assert own.reserve("w", "two", 0) == ()
    assert own.take("w", "one") is None


def test_the_leaders_result_is_reported_and_its_process_lives_until_it_is_ended(run, project):
    ended_when(has_finished)

    def train():
        print("hello from", os.environ["RANK"], repr(os.environ["CUDA_VISIBLE_DEVICES"]))
        return {"pid": os.getpid(), "extra": os.environ["EXTRA"]}

    report = run(train, environment={"EXTRA": "yes"}, gpus=("1", "2"))
    assert report.phase is Phase.FINISHED
    assert report.result.outputs["extra"] == "yes"
    assert not psutil.pid_exists(report.result.outputs["pid"])
    directory = project.local_root / "Experiments" / "groups-1"
    assert "hello from 7 '1,2'" in (directory / "output.log").read_text()
    assert (directory / ".outputs.json").exists()


def test_what_is_no_string_on_the_search_path_is_passed_over_as_python_does(
    run, project, tmp_path, monkeypatch
):
    ended_when(has_finished)
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])
    assert run(lambda: repr(sys.path)).result.outputs["metric"] == repr(sys.path[:-1])


def test_what_a_follower_returns_is_its_own_affair(run, project):
    ended_when(has_finished)
    report = run(lambda: object(), FOLLOWER)
    assert report.phase is Phase.FINISHED
    assert report.result.outputs == {"metric": None}
    directory = project.local_root / "Experiments" / "groups-1"
    assert (directory / "worker_0_output.log").exists()
    assert not (directory / ".outputs.json").exists()


def test_a_process_that_is_stopped_takes_what_it_started_along(run, project, tmp_path):
    diary = tmp_path / "pid"
    ended_when(diary.exists)

    def train():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        diary.with_suffix(".new").write_text(str(child.pid))
        diary.with_suffix(".new").rename(diary)
        time.sleep(1000)

    report = run(train)
    assert report.phase is Phase.STOPPED
    child = int(diary.read_text())
    wait_until(lambda: gone(child), 30, "the end of what it started")  # it would sleep 1000 s


def test_a_process_that_nobody_waits_for_any_more_is_ended(run):
    report = run(lambda: time.sleep(1000), orders=(SeatState.BEGIN, 1.0))
    assert (report.phase, report.reason) == (Phase.STOPPED, "the driver is gone")


@pytest.mark.parametrize("orders", [(SeatState.STOP,), (0.2,)], ids=["stopped", "abandoned"])
def test_a_process_that_is_stopped_before_it_began_never_starts(run, orders, tmp_path):
    started = tmp_path / "started"
    report = run(started.touch, orders=orders)
    assert report.phase is Phase.STOPPED
    assert not started.exists()


def test_a_process_that_ends_without_a_word_says_so_in_its_log(run, project):
    report = run(lambda: os._exit(3), FOLLOWER)
    assert report.phase is Phase.DIED
    assert report.reason.startswith("its process exited with code 3, by os._exit")
    log = project.local_root / "Experiments" / "groups-1" / "worker_0_output.log"
    assert "worker-0: its process exited with code 3" in log.read_text()


def test_a_process_that_does_not_listen_to_its_timeout_has_failed_by_it(run):
    def train():
        import ctypes

        ctypes.PyDLL(None).sleep(100)  # with the interpreter's lock

    report = run(train, timeout=0.5)
    assert report.phase is Phase.FAILED
    assert report.result.failure.kind == "TrialTimeoutError"


@pytest.fixture
def swallowing(run, monkeypatch):
    """Run a leader that swallows each request to stop, which comes with its first report."""
    monkeypatch.setattr(handle, "HEED_SECONDS", 0.3)
    monkeypatch.setattr(handle, "GRACE_SECONDS", 0.2)
    stop = Instruction(1, 1, stop=Why("a rule", 0.5, "too bad", step=0))

    def start(*metrics):
        def train(reporter):
            step = 0
            while True:
                try:
                    reporter.broadcast(metrics[min(step, len(metrics) - 1)], step=step)
                except BaseException as error:
                    print("swallowed", type(error).__name__)
                step += 1
                time.sleep(0.02)

        listener = Listener(reports=lambda _: instruct("a topic", stop))
        return run(train, topic="a topic", listener=listener)

    return start


def test_a_leader_that_swallows_every_stop_is_ended_and_keeps_its_last_finite_report(
    swallowing, project
):
    report = swallowing(0.25, 0.5, math.nan)
    assert report.phase is Phase.FINISHED
    assert (report.result.state, report.result.metric) == (State.STOPPED, 0.5)
    assert (report.result.step, report.result.why_stopped.rule) == (1, "a rule")
    directory = project.local_root / "Experiments" / "groups-1"
    assert json.loads((directory / ".outputs.json").read_text())["metric"] == 0.5
    log = (directory / "output.log").read_text()
    assert "swallowed EarlyStopError" in log
    assert "chief-0 was ended: the training function swallowed every request to stop" in log


def test_a_leader_that_swallows_every_stop_and_reports_only_nan_is_ended_and_has_failed(
    swallowing, project
):
    report = swallowing(math.nan)
    assert report.phase is Phase.FAILED
    assert report.result.failure.kind == "EarlyStopError"
    assert str(report.result.failure.message).startswith("a rule at step 0: too bad; the training")
    assert not (project.local_root / "Experiments" / "groups-1" / ".outputs.json").exists()


def test_helpers_say_where_they_work():
    for helper in (
        distributed.role,
        distributed.index,
        distributed.is_chief,
        distributed.checkpoint_dir,
        distributed.serve,
    ):
        with pytest.raises(NotInTrialError, match=rf"distributed\.{helper.__name__}\(\) works"):
            helper()


def test_a_missing_framework_is_said_where_the_process_runs(monkeypatch):
    from hopsml_flows.execution.group import guard as module

    monkeypatch.setattr(module, "lacks", lambda package: True)
    shape = replace(TWO, framework=Framework.PARAMETER_SERVER)
    call = guarded(lambda: 1, Process("g", shape.leader, shape, "parameter_server"))
    with pytest.raises(MissingPackageError, match=r"experiment.parameter_server needs tensorflow"):
        call()


def test_errors_that_have_nothing_to_do_with_keras_stay_as_they_are():
    async def train():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        guarded(train, Process("g", LEADER, TWO, "mirrored"))()
    assert issubclass(UnsuitableKerasError, RuntimeError)
