"""Pipes, sockets, devices and endless files among those of an experiment stop nothing."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from hopsml_flows import experiments
from hopsml_flows.cli import main
from hopsml_flows.errors import DamagedFileError
from hopsml_flows.service import ExperimentIndex
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage.reading import LARGEST_RECORD, LARGEST_SUMMARY, content_of
from hopsml_flows.tracking import read_record
from tests.pages import Browser
from tests.written import over, result

GOOD = "digits-20240101-120000-aaaaaa"
BAD = "digits-20240301-120000-bbbbbb"
PAGES = (
    "/",
    "/?fold=1",
    f"/experiments/{BAD}",
    f"/experiments/{BAD}/plots",
    f"/experiments/{BAD}/plots.json",
    f"/experiments/{BAD}/program",
    f"/experiments/{BAD}/about",
    f"/experiments/{BAD}/trials.csv",
    f"/experiments/{BAD}/trials/1",
    f"/experiments/{BAD}/trials/1/log",
    f"/experiments/{BAD}/trials/1/curve.json",
    f"/compare?e={BAD}&e={GOOD}&e={GOOD}:1",
)
COMMANDS = (
    ("list",),
    ("show", BAD),
    ("trials", BAD),
    ("compare", BAD, GOOD),
    ("best", BAD),
    ("export", BAD, "--csv"),
    ("export", BAD, "--html"),
    ("diff", BAD, GOOD),
    ("replay", BAD),
    ("logs", BAD),
    ("logs", BAD, "1"),
)


def pipe(path):
    os.mkfifo(path)


def listening_socket(path):
    # A socket's path must be short.
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def endless_device(path):
    path.symlink_to("/dev/zero")


def terminal(path):
    global _terminal
    _terminal = _terminal or os.openpty()
    path.symlink_to(os.ttyname(_terminal[1]))


def huge_file(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


_terminal = None
KINDS = (pipe, listening_socket, endless_device, terminal)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    made = Project(tmp_path / "project")
    for name in (GOOD, BAD):
        over(made, name, [result(1, {"x": 1}, 0.5)])
        directory = ExperimentPaths(name).trial("0001-x=1")
        made.make_directory(directory)
        made.replace(f"{directory}/{TrialFiles.HPARAMS}", '{"x": 1}')
        made.replace(f"{directory}/output.log", "began\n")
    return made


def put(make, project, path):
    place = project.local_root / path
    place.unlink(missing_ok=True)
    make(place)


def files_of(experiment_id):
    paths = ExperimentPaths(experiment_id)
    trial = paths.trial("0001-x=1")
    return {
        "record": paths.record,
        "summary": paths.summary,
        "journal": paths.journal,
        "program": paths.program(".py"),
        "environment": paths.environment,
        "lease": paths.lease(1),
        "hparams": f"{trial}/{TrialFiles.HPARAMS}",
        "outputs": f"{trial}/{TrialFiles.OUTPUTS}",
        "log": f"{trial}/output.log",
        "image": f"{trial}/plot.png",
    }


def within_a_minute(action):
    """Return what an action in a thread of its own returns or raises; a hang fails the test."""
    answers = []

    def run():
        try:
            answers.append(action())
        except BaseException as error:
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert answers, "it hangs"
    return answers[0]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    "action",
    [
        lambda project, path: project.read(path),
        lambda project, path: project.read(path, 0, 10),
        lambda project, path: project.append(path, b"more"),
        lambda project, path: project.open(path).read(1),
        lambda project, path: project.open(path, "w").write("more"),
        lambda project, path: project.copy(path, "copy"),
        lambda project, path: project.download(path, project.local_root / "copy"),
        lambda project, path: project.download(
            path, project.local_root / "copy", progress=lambda *_: None
        ),
        lambda project, path: content_of(project, path),
    ],
    ids=["read", "part", "append", "open", "write", "copy", "download", "progress", "content"],
)
def test_what_is_no_regular_file_is_refused(project, make, action):
    put(make, project, "odd")
    error = within_a_minute(lambda: action(project, "odd"))
    assert isinstance(error, DamagedFileError)
    assert str(error).endswith(", not a regular file")
    assert not (project.local_root / "copy").exists()


def test_a_file_that_is_replaced_by_a_pipe_while_it_is_opened_is_refused(project, monkeypatch):
    put(pipe, project, "odd")
    project.replace("plain", b"content")
    plain, looked_at = os.stat(project.local_root / "plain"), []

    def stat(path, **told):
        looked_at.append(path)
        return plain

    monkeypatch.setattr("hopsml_flows.storage.local.os.stat", stat)
    error = within_a_minute(lambda: project.read("odd"))
    monkeypatch.undo()
    assert looked_at
    assert isinstance(error, DamagedFileError)


def test_a_directory_is_no_file(project):
    with pytest.raises(IsADirectoryError):
        project.read("Experiments")


@pytest.mark.parametrize("make", KINDS)
def test_the_files_of_a_directory_are_regular_files(project, make):
    project.make_directory("some")
    project.replace("some/file", b"1")
    put(make, project, "some/odd")
    assert [info.name for info in project.walk_files("some")] == ["some/file"]
    project.copy("some", "others")
    assert project.listdir("others") == ["file"]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (name, make)
        for name in files_of(BAD)
        for make in (pipe, endless_device, huge_file)
        # A log may have any size, and all of it is printed.
        if (name, make) not in (("log", huge_file), ("lease", huge_file))
    ],
)
def test_every_page_and_command_answers(project, capsys, name, make):
    put(make, project, files_of(BAD)[name])
    browser = Browser(experiments_app(project))
    for page in PAGES:
        answer = within_a_minute(lambda page=page: browser.get(page))
        assert getattr(answer, "status_code", answer) in (200, 404), page
    assert {GOOD, BAD} <= set(browser.get("/").text.replace('"', " ").split())
    for command in COMMANDS:
        ended = within_a_minute(lambda command=command: main([*command, "-p", project.url]))
        assert isinstance(ended, SystemExit), command
        assert ended.code in (None, 0, 1, 2), command
    capsys.readouterr()
    found = experiments.get(BAD, project)
    assert found.name == "digits"
    assert within_a_minute(lambda: main(["rm", BAD, "--yes", "-p", project.url])).code in (0, 2)


@pytest.mark.parametrize("make", [*KINDS, huge_file])
def test_such_a_record_is_shown_as_damaged(project, make):
    put(make, project, files_of(BAD)["record"])
    assert experiments.get(BAD, project).state == "DAMAGED"
    with ExperimentIndex(project) as index:
        index.refresh()
        entry = index.experiment(BAD)
        assert entry.state == "DAMAGED"
        assert "not a regular file" in entry.problem or "bytes" in entry.problem
        # Nothing has changed: it is not read again.
        assert not index.refresh()
    with pytest.raises(DamagedFileError):
        read_record(project, BAD)


@pytest.mark.parametrize("url", ["memory://too-large", None])
def test_a_file_that_is_too_large_is_not_read(project, url):
    place = project if url is None else Project(url)
    place.replace("large", b"12345")
    assert content_of(place, "large", 5) == b"12345"
    with pytest.raises(DamagedFileError, match="has 5 bytes, which are more than 4"):
        content_of(place, "large", 4)
    assert LARGEST_RECORD < LARGEST_SUMMARY
