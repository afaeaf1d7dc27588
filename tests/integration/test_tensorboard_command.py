"""``hopsml tensorboard`` and ``tensorboard.visualize``: a TensorBoard that somebody waits for."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from hopsml_flows import tensorboard
from hopsml_flows.board import foreground
from hopsml_flows.cli import main
from hopsml_flows.errors import (
    InvalidArgumentError,
    NotFoundError,
    TensorBoardError,
    UnsupportedOperationError,
)
from hopsml_flows.search import Direction, Float
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.tracking import end_events, experiment_events, start_events
from hopsml_flows.trials import State, Trial, TrialResult
from tests.boards import Page, board_processes, is_free
from tests.servers.processes import left
from tests.waiting import eventually

FIRST = ExperimentPaths("rates-20260101-120000-aaaaaa")
SECOND = ExperimentPaths("rates-20260102-120000-bbbbbb")
LAST = ExperimentPaths("units-20260103-120000-cccccc")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The default project, with three experiments whose trials have the same names."""
    monkeypatch.setenv("HOPSML_PROJECT", str(tmp_path / "project"))
    project = Project()
    for paths, name, domain in (
        (FIRST, "rate", Float(0.1, 0.5)),
        (SECOND, "rate", Float(0.2, 0.9)),
        (LAST, "units", [8, 16]),
    ):
        for number in (1, 2):
            trial = Trial(number, f"{number:04d}", {name: number / 4})
            result = TrialResult(
                number, trial.name, trial.params, State.FINISHED, 0.5, {"accuracy": number / 8}
            )
            project.make_directory(paths.trial(trial.name))
            for file, content in (
                (TrialFiles.EVENTS_START, start_events(trial)),
                (TrialFiles.EVENTS_END, end_events(result)),
            ):
                project.replace(paths.trial(trial.name, file), content)
        project.replace(paths.events, experiment_events({name: domain}, "accuracy", Direction.MAX))
        project.replace(paths.record, "{}")
    return project


def served(code, *arguments):
    """A process that serves, and the URL that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    line = process.stdout.readline()
    found = re.search(r"http://[\d.]+:\d+", line)
    assert found, line + process.communicate(timeout=30)[1]
    return process, found[0], line


def interrupted(process):
    """What a process prints when Ctrl-C ends it; nothing is left of what it started."""
    below = psutil.Process(process.pid).children(recursive=True)
    assert below
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert left(below) == []
    return output + errors


def test_several_experiments_are_shown_side_by_side_until_ctrl_c(project):
    code = "from hopsml_flows.cli import main; main()"
    process, url, line = served(code, "tensorboard", FIRST.id, "rates-20260102", "last", "--port=0")
    try:
        assert "Ctrl-C" in line
        with Page(url) as page:
            runs = eventually(page.runs, lambda runs: len(runs) == 7)
            rows = eventually(page.groups, lambda rows: len(rows) == 6)
            described = page.described()
        # Trials of one name are not taken for one another.
        assert set(rows) == {f"{p.id}/000{n}" for p in (FIRST, SECOND, LAST) for n in (1, 2)}
        assert set(runs) == {".", *rows}
        assert rows[f"{SECOND.id}/0002"]["hparams"] == {"rate": 0.5}
        assert rows[f"{LAST.id}/0001"]["hparams"] == {"units": 0.25}
        assert all(len(row["sessions"]) == 1 for row in rows.values())
        assert {row["sessions"][0]["status"] for row in rows.values()} == {"STATUS_SUCCESS"}
        values = {name: row["metricValues"][0]["value"] for name, row in rows.items()}
        assert values[f"{FIRST.id}/0002"] == 0.25
        # And the table has the columns of all.
        domains = {i["name"]: i.get("domainInterval") for i in described["hparamInfos"]}
        assert domains == {"rate": {"minValue": 0.1, "maxValue": 0.9}, "units": None}
        assert [metric["displayName"] for metric in described["metricInfos"]] == ["accuracy"]
    finally:
        said = interrupted(process)
    assert said == ""
    assert eventually(lambda: is_free(url), bool)


def test_visualize_shows_any_directory_until_it_is_interrupted(project):
    code = "from hopsml_flows import tensorboard as t; t.visualize('Experiments', port=0)"
    process, url, _ = served(code)
    try:
        with Page(url) as page:
            runs = eventually(page.runs, lambda runs: len(runs) == 9)
        assert {f"{FIRST.id}/0001", LAST.id} <= set(runs)
    finally:
        assert interrupted(process) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], f"ID: must be an experiment of .*: last, {LAST.id}.*got 'nothing'"),
        (
            ["rates"],
            f"ID: 'rates' .* because it matches 2 experiments of .*: {SECOND.id}, {FIRST.id}",
        ),
        (["--all", "rates"], "--all: must stand alone, without identifiers"),
        (["--port", "65536"], "port: must be a port number from 0 to 65535; got 65536"),
        (["--host", "192.0.2.1"], r"host: must be an address of this machine .*'192\.0\.2\.1'"),
        (["--host", "no.host.invalid"], "host: must be an address of this machine"),
        (["--project", "nowhere"], "project: must be a directory that exists"),
    ],
)
def test_what_cannot_be_shown_is_said_and_nothing_starts(project, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(["tensorboard", *arguments])
    assert ended.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert board_processes() == []


def test_a_port_that_is_taken_is_an_error_that_names_it(project, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit):
            main(["tensorboard", "--port", str(port)])
    assert f"port: must be free on 127.0.0.1 (Address already in use); got {port}" in (
        capsys.readouterr().err
    )


def test_without_a_port_any_is_taken_where_tensorboards_own_is_taken(project, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(foreground.Board, "wait", lambda self: shown.append(self.url))
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(foreground, "_PORT", other.getsockname()[1])
        with pytest.raises(IndexError):  # it is not waited for here
            foreground.serve(foreground.Shown.experiments(project, [LAST]))
    [url] = shown
    assert url in capsys.readouterr().out
    assert not url.endswith(f":{foreground._PORT}")


def test_a_project_without_experiments_is_an_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("HOPSML_PROJECT", str(tmp_path / "empty"))
    for arguments in ([], ["--all"]):
        with pytest.raises(SystemExit):
            main(["tensorboard", *arguments])
        assert "empty" in capsys.readouterr().err


def test_one_that_cannot_run_is_an_error_with_its_reason(project, broken_tensorboard):
    with pytest.raises(TensorBoardError, match="no such thing here"):
        tensorboard.visualize(LAST.root, port=0)


def test_visualize_of_nothing_is_an_error(project):
    with pytest.raises(NotFoundError, match=r"hdfs_root_logdir.*Experiments/nothing"):
        tensorboard.visualize("Experiments/nothing")
    with pytest.raises(InvalidArgumentError, match="hdfs_root_logdir"):
        tensorboard.visualize("../..")


@pytest.mark.parametrize("name", ["interactive_debugger", "non_interactive_debugger"])
def test_the_debuggers_of_tensorflow_1_are_named_with_what_there_is_instead(name):
    with pytest.raises(UnsupportedOperationError, match=rf"{name}\(\).*enable_dump_debug_info"):
        getattr(tensorboard, name)()
