"""The process of a TensorBoard: how it is started, kept and ended. No experiment runs here."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import httpx
import psutil
import pytest

from hopsml_flows.board import Board, Shown
from hopsml_flows.search import Float
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.tracking import experiment_events, start_events
from hopsml_flows.trials import Trial
from tests.boards import Page, board_processes, is_free
from tests.servers import s3
from tests.servers.processes import left
from tests.waiting import eventually

PATHS = ExperimentPaths("shown-20260101-120000-abcdef")


@pytest.fixture
def shown(tmp_path):
    """An experiment of two trials, just written."""
    project = Project(tmp_path / "project")
    return written(project, PATHS, Float(0.0, 1.0), {"x": 0.25}, {"x": 0.5})


def written(project, paths, domain, *points):
    for number, params in enumerate(points, 1):
        trial = Trial(number, f"{number:04d}", params)
        project.make_directory(paths.trial(trial.name))
        project.replace(paths.trial(trial.name, TrialFiles.EVENTS_START), start_events(trial))
    project.replace(paths.events, experiment_events({"x": domain}, "accuracy"))
    return Shown.experiments(project, [paths])


@pytest.mark.parametrize("reader", ["data server", "python"])
def test_it_shows_a_local_experiment_and_leaves_nothing(shown, tmp_path, monkeypatch, reader):
    if reader == "python":  # more files than any system lets a process open
        shown = replace(shown, trials=10**12)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    board = Board(shown)
    board.start()
    with Page(board.url) as page:
        runs = eventually(page.runs, lambda runs: len(runs) == 3)
        assert sorted(runs) == [".", "0001", "0002"]
        assert page.title() == PATHS.id
        groups = eventually(page.groups, lambda groups: len(groups) == 2)
        assert [group["hparams"]["x"] for group in groups.values()] == [0.25, 0.5]
    served = board_processes()
    assert len(served) == (2 if reader == "data server" else 1)
    board.close()
    assert board_processes() == []
    assert not any(process.is_running() for process in served)
    assert is_free(board.url)
    assert list(scratch.iterdir()) == []
    board.close()  # once more is fine


def test_trials_come_first_and_tensorflow_is_not_loaded(shown):
    with_tensorflow = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib.util as u; print(bool(u.find_spec('tensorflow')))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert with_tensorflow.stdout.strip() == "True"  # else this shows nothing
    board = Board(shown)
    board.start()
    try:
        with Page(board.url) as page:
            eventually(page.runs, lambda runs: len(runs) == 3)
        for process in board_processes():
            assert process.nice() >= 10
            assert not [m.path for m in process.memory_maps() if "libtensorflow" in m.path]
    finally:
        board.close()


def test_one_that_dies_is_followed_by_another_on_the_same_url(shown):
    board = Board(shown)
    board.start()
    try:
        with Page(board.url) as page:
            page.runs()
        before = board_processes()
        assert len(before) == 2  # and its data server
        for which in ("hopsml_flows.board.tensorboard_program", "tensorboard_data_server"):
            [process] = [p for p in board_processes() if which in " ".join(p.cmdline())]
            process.kill()
            psutil.wait_procs(before, timeout=10)
            with Page(board.url) as page:  # waits in the socket's queue
                runs = eventually(page.runs, lambda runs: len(runs) == 3)
            assert len(runs) == 3
            assert not {*before} & {*board_processes()}
            before = board_processes()
    finally:
        board.close()
    assert board_processes() == []


def test_a_board_that_is_closed_while_it_starts_leaves_nothing(shown):
    for pause in (0, 0.1, 0.4):
        board = Board(shown)
        board.start()
        time.sleep(pause)
        board.close()
        assert board_processes() == []
        assert is_free(board.url)


def test_one_that_cannot_run_is_given_up_with_its_reason(shown, broken_tensorboard, caplog):
    board = Board(shown)
    with caplog.at_level(logging.WARNING):
        board.start()
        board.wait()
    assert "ended 3 times" in caplog.text
    assert "no such thing here" in caplog.text
    with pytest.raises(httpx.ConnectError), Page(board.url) as page:
        page.runs()
    board.close()


def test_secrets_reach_it_by_a_pipe_alone(moto_endpoint, monkeypatch):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    project = Project(s3.new_url(), s3.options(moto_endpoint))
    board = Board(written(project, PATHS, Float(0.0, 1.0), {"x": 0.25}))
    board.start()
    try:
        with Page(board.url) as page:
            assert len(eventually(page.runs, lambda runs: len(runs) == 2)) == 2
        served = board_processes()
        assert served
        for process in served:
            assert s3.SECRET not in " ".join(process.cmdline())
            assert s3.SECRET not in str(process.environ())
    finally:
        board.close()


def test_a_port_that_is_taken_or_no_address_is_an_error(shown):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        Board(shown, port=other.getsockname()[1])
    with pytest.raises(OSError, match="assign"):
        Board(shown, host="192.0.2.1")


DRIVER = """
import sys, time
from hopsml_flows.board import Board, Shown
from hopsml_flows.storage import ExperimentPaths, Project
board = Board(Shown.experiments(Project(sys.argv[1]), [ExperimentPaths(sys.argv[2])]))
board.start()
print(board.url, flush=True)
time.sleep(1000)
"""


def test_it_is_gone_when_its_driver_is_killed(shown, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, shown.project.url, PATHS.id],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        url = driver.stdout.readline().strip()
        with Page(url) as page:
            assert eventually(page.runs, lambda runs: len(runs) == 3)
        served = psutil.Process(driver.pid).children(recursive=True)
        assert served
        driver.send_signal(signal.SIGKILL)
        driver.wait(10)
        assert left(served) == []
        assert eventually(lambda: is_free(url), bool)
        assert list(scratch.iterdir()) == []
    finally:
        if driver.poll() is None:
            driver.kill()
        driver.stdout.close()
