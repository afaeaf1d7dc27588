from __future__ import annotations

import socket

import pytest

from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.storage import block_name


def test_the_default_project_is_that_of_the_verbs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hopsml_project").mkdir()
    (tmp_path / "named").mkdir()
    assert open_project(None).local_root == tmp_path / "hopsml_project"
    monkeypatch.setenv("HOPSML_PROJECT", str(tmp_path / "named"))
    assert open_project(None).local_root == tmp_path / "named"


@pytest.mark.parametrize("text", ["nothing-here", "file.txt", "nosuchprotocol://x/y", " "])
def test_what_is_no_project_is_an_error(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").touch()
    with pytest.raises(InvalidProjectError, match="project"):
        open_project(text)


def test_storage_that_does_not_answer_is_an_error():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(InvalidProjectError, match="cannot be reached"):
            open_project(f"webhdfs://127.0.0.1:{nobody.getsockname()[1]}/project")


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("block:demo", "demo"),
        ("hopsfs-project/demo", "demo"),
        ("blocked", None),
        ("s3://bucket/block:demo", None),
        (7, None),
        (None, None),
    ],
)
def test_a_block_is_told_from_a_path(project, name):
    assert block_name(project) == name
