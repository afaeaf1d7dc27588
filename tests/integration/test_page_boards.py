"""TensorBoards that pages start: real processes, and the servers that start them."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from subprocess import PIPE

import httpx
import pytest

from hopsml_flows.service.web import boards as module
from hopsml_flows.service.web import experiments_app
from hopsml_flows.service.web.boards import Boards
from hopsml_flows.storage import Project
from tests.boards import is_free
from tests.pages import Browser
from tests.written import over, result

NAMES = [f"digits-2024010{day}-120000-aaaaaa" for day in range(1, 5)]


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project")
    for name in NAMES:
        over(project, name, [result(1, {"x": 1}, 0.5)])
    return project


@pytest.fixture
def running(project, monkeypatch):
    monkeypatch.setattr(module, "MOST_BOARDS", 2)
    running = Boards(project)
    yield running
    running.close()


def test_a_selection_in_another_order_is_the_same_tensorboard(running):
    first = running.show(NAMES[:2], 2)
    assert running.show(NAMES[1::-1], 2) is first
    assert running.running() == [first]


def test_one_more_ends_the_tensorboard_that_was_asked_for_longest_ago(running):
    first, second = running.show(NAMES[:1], 1), running.show(NAMES[1:2], 1)
    assert running.show(NAMES[:1], 1) is first
    third = running.show(NAMES[2:3], 1)
    assert running.running() == [first, third]
    assert (first.board.is_running, second.board.is_running) == (True, False)
    assert is_free(second.url)


def test_all_end_at_once(running, monkeypatch):
    both = [running.show([name], 1) for name in NAMES[:2]]
    together = threading.Barrier(2, timeout=60)
    close = module.Board.close

    def close_together(board):
        together.wait()
        close(board)

    monkeypatch.setattr(module.Board, "close", close_together)
    running.close()
    assert running.running() == []
    assert all(is_free(each.url) for each in both)


def test_the_tensorboards_of_a_deleted_experiment_end(project):
    browser = Browser(experiments_app(project, tensorboards=True))
    form = {"token": re.search(r'name="token" value="([^"]+)"', browser.get("/").text)[1]}
    chosen = [[("e", NAMES[0]), ("e", NAMES[1])], [("e", NAMES[2])]]
    try:
        for pairs in chosen:
            assert browser.post("/tensorboard", [*form.items(), *pairs]).status_code == 303
        shown, other = re.findall(r'<h2><a href="([^"]+)"', browser.get("/tensorboard").text)
        gone = {**form, "e": NAMES[1], "confirmed": "yes"}
        assert browser.post("/delete", gone).status_code == 303
        assert re.findall(r'<h2><a href="([^"]+)"', browser.get("/tensorboard").text) == [other]
        assert is_free(shown)
    finally:
        for name in re.findall(r'name="board" value="(\w+)"', browser.get("/tensorboard").text):
            browser.post("/tensorboard/stop", {**form, "board": name})


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ({}, True),
        ({"allowed_hosts": ["localhost"]}, True),
        ({"allowed_hosts": ["pages.example"]}, False),
        ({"access_token": "secret"}, False),
        ({"host": "0.0.0.0", "access_token": "secret"}, False),
    ],
    ids=["alone", "own name", "proxy", "token", "other machines"],
)
def test_tensorboards_are_offered_where_all_users_of_this_machine_alone_see_the_pages(
    project, options, offered
):
    code = (
        "from hopsml_flows.service.web.serving import serve_pages\n"
        "from hopsml_flows.storage import Project\n"
        f"serve_pages(Project({project.url!r}), port=0, **{options!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=PIPE, text=True) as server:
        try:
            port = re.search(r":(\d+)/", server.stdout.readline().partition(project.url)[2])[1]
            at = f"http://127.0.0.1:{port}"
            headers = {"authorization": "Bearer secret"}
            listing = httpx.get(at, headers=headers, timeout=60).text
            answer = httpx.get(f"{at}/tensorboard", headers=headers, timeout=60)
        finally:
            server.terminate()
    assert NAMES[0] in listing
    assert ("TensorBoard</button>" in listing) is offered
    assert answer.status_code == (200 if offered else 403)
    words = "No TensorBoard is running" if offered else "This server starts no TensorBoard"
    assert words in answer.text
