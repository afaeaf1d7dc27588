"""What pages change: seen at once, also where directories have no times, and whole."""

from __future__ import annotations

import html
import json
import re
import uuid

import pytest

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.service import remove_experiment
from hopsml_flows.service.annotation import parse_tags
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import Project
from tests.pages import Browser
from tests.written import over, result

NEW = "digits-20240301-120000-bbbbbb"
OLD = "digits-20240101-120000-aaaaaa"


@pytest.fixture
def project():
    """A project on a store whose directories have no times, as those of S3."""
    return FailingProject(f"memory://changes-{uuid.uuid4().hex}")


class FailingProject(Project):
    """A project whose storage fails midway through the removal of a directory, if it is told to."""

    fails = False

    def remove(self, path, recursive=False):
        if recursive and self.fails:
            super().remove(f"{path}/.summary.json")
            raise PermissionError(13, "Permission denied", path)
        super().remove(path, recursive)


@pytest.fixture
def browser(project):
    paths = over(project, OLD, [result(1, {"x": 1}, 0.5)], tags=("lr,wd", "paper"))
    project.replace(paths.program(".py"), "1")
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    return Browser(experiments_app(project))


def token(browser):
    return re.search(r'name="token" value="([^"]+)"', browser.get("/").text)[1]


def test_a_note_and_a_tag_are_shown_at_once(browser):
    form = {"token": token(browser), "tags": "lr,wd, wide", "note": "the one for the paper"}
    assert browser.post(f"/experiments/{OLD}/annotate", form).status_code == 303
    assert "the one for the paper" in browser.get(f"/experiments/{OLD}/about").text
    assert OLD in browser.get("/?tag=wide").text.partition("<tbody>")[2]


def test_a_deleted_experiment_is_gone_at_once_and_others_stay(browser):
    form = {"token": token(browser), "e": OLD, "confirmed": "yes"}
    assert browser.post("/delete", form).status_code == 303
    text = browser.get("/").text
    assert OLD not in text
    assert NEW in text
    assert browser.get(f"/experiments/{OLD}").status_code == 404


def test_a_new_tag_leaves_a_tag_with_a_comma_whole(project, browser):
    form = {"token": token(browser), "tags": "lr,wd, paper, wide", "note": ""}
    assert browser.post(f"/experiments/{OLD}/annotate", form).status_code == 303
    record = json.loads(project.read(f"Experiments/{OLD}/experiment.json"))
    assert record["tags"] == ["lr,wd", "paper", "wide"]


@pytest.mark.parametrize(
    ("text", "known", "tags"),
    [
        ("a, b", [], ["a", "b"]),
        ("a,b", ["a,b"], ["a,b"]),
        ("x, a,  b ,y", ["a, b "], ["x", "a, b", "y"]),
        ("a,b,c", ["a,b", "a,b,c"], ["a,b,c"]),
        ("a,b,d", ["a,b", "a,b,c"], ["a,b", "d"]),
        ("a,bc", ["a,b"], ["a", "bc"]),
        ("b, a", ["a,b"], ["b", "a"]),
        (", ,", ["a,b"], ["", "", ""]),
        ("", ["a,b"], [""]),
    ],
)
def test_commas_part_tags_but_those_in_known_ones(text, known, tags):
    assert parse_tags(text, known) == tags


def test_a_removal_that_fails_midway_says_that_it_can_be_done_again(project, browser):
    project.fails = True
    form = {"token": token(browser), "e": OLD, "confirmed": "yes"}
    answer = browser.post("/delete", form)
    assert answer.status_code == 500
    assert "was removed only in part (PermissionError: " in html.unescape(answer.text)
    assert "remove it again" in answer.text
    assert "unknown" in browser.get(f"/experiments/{OLD}").text
    project.fails = False
    assert browser.post("/delete", form).status_code == 303
    assert not project.exists(f"Experiments/{OLD}")


def test_a_removal_from_python_that_fails_midway_says_so_too(project, browser):
    project.fails = True
    with pytest.raises(StorageUnavailableError, match=r"only in part .* remove it again"):
        remove_experiment(project, OLD, pytest.fail)
    project.fails = False
    remove_experiment(project, OLD, pytest.fail)
    assert not project.exists(f"Experiments/{OLD}")
