"""Whether experiments have a TensorBoard, and where it listens: arguments and environment."""

from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.board import Board, Shown, host, switched_on
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.storage import ExperimentPaths, Project
from tests.boards import is_free


@pytest.mark.parametrize(
    ("text", "on"),
    [(None, True), ("", True), ("1", True), ("On", True), ("false", False), ("NO", False)],
)
def test_the_environment_decides_where_the_caller_says_nothing(monkeypatch, text, on):
    monkeypatch.delenv("HOPSML_TENSORBOARD")
    if text is not None:
        monkeypatch.setenv("HOPSML_TENSORBOARD", text)
    assert switched_on(None) is on
    assert switched_on(True) is True
    assert switched_on(False) is False


def test_a_verbs_plan_knows_it(monkeypatch, tmp_path):
    def planned(**options):
        verb = experiment.grid_search
        return verb.plan(lambda x: x, {"x": [1]}, project=str(tmp_path), **options)

    assert planned(tensorboard=True).options.tensorboard
    assert not planned().options.tensorboard  # the tests turn it off
    monkeypatch.delenv("HOPSML_TENSORBOARD")
    assert planned().options.tensorboard
    assert not planned(tensorboard=False).options.tensorboard


def test_an_environment_that_says_neither_yes_nor_no_is_an_error(monkeypatch):
    monkeypatch.setenv("HOPSML_TENSORBOARD", "maybe")
    with pytest.raises(InvalidArgumentError, match=r"HOPSML_TENSORBOARD: .*true or false.*'maybe'"):
        switched_on(None)


def test_it_listens_on_this_machine_alone_unless_told_otherwise(monkeypatch):
    assert host() == "127.0.0.1"
    monkeypatch.setenv("HOPSML_TENSORBOARD_HOST", "0.0.0.0")
    assert host() == "0.0.0.0"


def test_the_url_is_known_at_once_and_the_port_is_given_back(tmp_path):
    board = Board(Shown.experiments(Project(tmp_path), [ExperimentPaths("e-1")]), host="localhost")
    assert board.url.startswith("http://127.0.0.1:")
    assert not is_free(board.url)
    board.close()
    assert is_free(board.url)


def test_a_board_for_all_of_the_machines_addresses_has_the_machines_name(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.getfqdn", lambda: "node-7.example.org")
    board = Board(Shown.experiments(Project(tmp_path), [ExperimentPaths("e-1")]), host="0.0.0.0")
    assert board.url.startswith("http://node-7.example.org:")
    board.close()
