from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from hopsml_flows.cluster.early_cluster import EarlyCluster
from hopsml_flows.errors import ResourceUnavailableError


class Opening:
    """A context that notes what is done with it."""

    def __init__(self, error=None):
        self.done = []
        self.may_go_on = threading.Event()
        self.error = error

    @contextmanager
    def open(self):
        self.may_go_on.wait(60)
        if self.error is not None:
            raise self.error
        self.done.append("opened")
        try:
            yield "cluster"
        finally:
            self.done.append("closed")


def test_it_starts_in_the_background_and_is_open_for_the_block():
    opening = Opening()
    early = EarlyCluster(opening.open())
    assert not early.is_taken
    opening.may_go_on.set()
    with early.taken() as cluster:
        assert cluster == "cluster"
        assert opening.done == ["opened"]
        assert early.is_taken
        early.close()  # does nothing: the block has it
        assert opening.done == ["opened"]
    assert opening.done == ["opened", "closed"]


def test_what_was_not_taken_is_closed():
    opening = Opening()
    early = EarlyCluster(opening.open())
    opening.may_go_on.set()
    early.close()
    assert opening.done == ["opened", "closed"]


def test_an_error_of_the_start_reaches_the_one_who_takes_it():
    opening = Opening(ResourceUnavailableError("no workers"))
    early = EarlyCluster(opening.open())
    opening.may_go_on.set()
    with pytest.raises(ResourceUnavailableError, match="no workers"), early.taken():
        pass


def test_an_error_of_the_start_is_silent_if_nothing_takes_the_cluster():
    opening = Opening(ResourceUnavailableError("no workers"))
    early = EarlyCluster(opening.open())
    opening.may_go_on.set()
    early.close()


def test_an_interrupted_wait_leaves_the_cluster_to_close(monkeypatch):
    opening = Opening()
    early = EarlyCluster(opening.open())

    def interrupted(timeout=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(early._thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt), early.taken():
            pass
    opening.may_go_on.set()
    early.close()
    assert opening.done == ["opened", "closed"]
