from __future__ import annotations

import threading

import pytest

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.service import ExperimentIndex
from hopsml_flows.service.web.freshness import Freshness
from hopsml_flows.storage import Project
from tests.waiting import wait_until
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

    def refresh(self, *, thorough=True):
        self.looks += 1
        self.gate.wait(60)
        if self.refuses:
            raise self.refuses
        return super().refresh(thorough=thorough)


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


def test_a_version_changes_with_the_experiment_and_not_with_another(project, index):
    now = [0.0]
    freshness = Freshness(index, lambda: now[0])
    over(project, OLD)
    freshness.look()
    before = freshness.version(OLD), freshness.version(NEW), freshness.version()
    over(project, NEW)
    freshness.look_now()
    after = freshness.version(OLD), freshness.version(NEW), freshness.version()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]


def test_a_version_changes_with_what_another_process_has_found(project, index):
    freshness = Freshness(index)
    over(project, OLD)
    freshness.look()
    before = freshness.version(OLD), freshness.version()
    over(project, OLD, tags=("later",))
    with ExperimentIndex(project) as other:
        assert other.refresh().changed == (OLD,)
    freshness.look_now()
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
    freshness.look_now()
    assert said in freshness.problem
    assert freshness.version() != before
    assert index.experiment(OLD) is not None
    index.refuses = None
    freshness.look_now()
    assert (freshness.problem, freshness.version()) == ("", before)
