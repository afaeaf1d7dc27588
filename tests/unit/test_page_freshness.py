from __future__ import annotations

import threading
import time

import pytest

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.service import ExperimentIndex
from hopsml_flows.service.web import freshness as module
from hopsml_flows.service.web.freshness import Freshness
from hopsml_flows.storage import Project
from tests.waiting import eventually, wait_until
from tests.written import over

OLD = "digits-20240101-120000-aaaaaa"
NEW = "digits-20240301-120000-bbbbbb"


class Watched(ExperimentIndex):
    """An index that counts looks at the storage, and can refuse or delay them."""

    def __init__(self, project):
        super().__init__(project)
        self.looks = 0
        self.refuses = None
        self.gate = threading.Event()
        self.gate.set()

        self.during = lambda: None

    def refresh(self, *, thorough=True, only=None):
        if only is None:
            self.looks += 1
            self.during()
        self.gate.wait(60)
        if self.refuses:
            raise self.refuses
        return super().refresh(thorough=thorough, only=only)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


@pytest.fixture
def index(project):
    with Watched(project) as index:
        yield index


def test_the_first_look_is_waited_for(project, index):
    over(project, OLD)
    Freshness(index).look()
    assert index.experiment(OLD) is not None


def test_looks_at_the_storage_have_an_interval(index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    for _ in range(5):
        freshness.look()
    assert index.looks == 1
    now[0] = 1.5
    freshness.look()
    assert index.looks == 2


def test_looks_take_less_than_a_hundredth_of_a_core(index):
    def work():
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    index.during = work
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    freshness.look()
    now[0] = 4.9
    freshness.look()
    assert index.looks == 1
    now[0] = 31.0
    freshness.look()
    assert index.looks == 2


def test_a_version_changes_with_the_experiment_and_not_with_another(project, index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    over(project, OLD)
    freshness.look()
    before = freshness.version(OLD), freshness.version(NEW), freshness.version()
    over(project, NEW)
    now[0] = 100.0
    freshness.look()
    after = freshness.version(OLD), freshness.version(NEW), freshness.version()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]


def test_a_version_changes_with_what_another_process_has_found(project, index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    over(project, OLD)
    freshness.look()
    before = freshness.version(OLD), freshness.version()
    over(project, OLD, tags=("later",))
    with ExperimentIndex(project) as other:
        assert other.refresh().changed == (OLD,)
    now[0] = 100.0
    freshness.look()
    after = freshness.version(OLD), freshness.version()
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False]


def test_a_slow_look_does_not_hold_a_request_back_and_is_not_begun_twice(project, index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    freshness.look()
    over(project, OLD)
    index.gate.clear()
    now[0] = 10.0
    freshness.look()
    freshness.look()
    assert (index.looks, index.experiment(OLD)) == (2, None)
    index.gate.set()
    wait_until(lambda: index.experiment(OLD) is not None, 60, "the look")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageUnavailableError("storage says no"), "storage says no"),
        (OverflowError("too large"), "could not be refreshed (OverflowError)"),
    ],
    ids=["storage", "fault"],
)
def test_what_was_known_is_shown_with_the_reason_while_a_look_fails(project, index, error, said):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    over(project, OLD)
    freshness.look()
    before = freshness.version()
    index.refuses = error
    now[0] = 100.0
    freshness.look()
    assert said in freshness.problem
    assert freshness.version() != before
    assert index.experiment(OLD) is not None
    index.refuses = None
    now[0] = 200.0
    freshness.look()
    assert (freshness.problem, freshness.version()) == ("", before)


def test_work_of_other_threads_does_not_put_the_next_look_off(index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    freshness.look()
    index.gate.clear()
    now[0] = 100.0
    freshness.look()
    until = time.process_time() + 1  # of which sixty times would be a minute
    while time.process_time() < until:
        pass
    index.gate.set()
    wait_until(lambda: freshness._running is None, 60, "the end of the look")
    now[0] = 120.0
    freshness.look()
    assert index.looks == 3


@pytest.mark.parametrize("url", ["memory://a-slow-look", None], ids=["remote", "local"])
def test_the_next_look_comes_soon_whatever_a_look_has_cost(tmp_path, url):
    now = [0.0]

    def during():
        now[0] += 1000
        until = time.thread_time() + 1
        while time.thread_time() < until:
            pass

    with Watched(Project(url or tmp_path / "project")) as index:
        freshness = Freshness(index, lambda: now[0])
        freshness.look()
        now[0] += 100
        index.during = during
        freshness.look()
        wait_until(lambda: freshness._running is None, 60, "the end of the look")
        now[0] += 30
        freshness.look()
        assert index.looks == 3


def test_an_experiment_that_was_changed_is_seen_though_no_look_is_due(project, index):
    freshness = Freshness(index, lambda: 0.0)
    over(project, OLD)
    freshness.look()
    over(project, OLD, tags=("later",))
    over(project, NEW)
    freshness.look_at([OLD])
    assert index.experiment(OLD).record.tags == ("later",)
    assert (index.looks, index.experiment(NEW)) == (1, None)


def test_a_look_that_hangs_does_not_hold_a_change_back(project, index, monkeypatch):
    monkeypatch.setattr(module, "_CHANGE_SECONDS", 0.1)
    freshness = Freshness(index, lambda: 0.0)
    freshness.look()
    index.gate.clear()
    freshness.look_at([OLD])
    assert "not shown yet" in freshness.problem
    index.gate.set()
    freshness.look()
    assert eventually(lambda: freshness.problem, lambda problem: not problem) == ""
