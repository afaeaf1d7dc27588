"""The index of experiments sees what has changed on every storage."""

from __future__ import annotations

import time

import pytest

from hopsml_flows.service import ExperimentIndex, ExperimentState, TrialQuery
from hopsml_flows.service.index import scan
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.storage.content_version import DOUBT_SECONDS
from hopsml_flows.trials import State
from tests.conformance.test_projects import STORAGES
from tests.written import over, result, summary_text

FIRST = "digits-20240101-120000-aaaaaa"
SECOND = "digits-20240301-120000-bbbbbb"

WITH_TIMES = ("hopsfs", "webhdfs")
"""Remote storages whose directories have times."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def filled(request):
    project = STORAGES[request.param](request)
    over(project, FIRST, [result(1, {"x": 1}, 0.5)])
    over(project, SECOND, [result(n, {"x": n}, n / 10) for n in (1, 2)])
    return project


@pytest.mark.parametrize("filled", STORAGES, indirect=True)
def test_what_changes_between_two_refreshes_is_seen(filled):
    with ExperimentIndex(filled) as index:
        assert set(index.refresh().changed) == {FIRST, SECOND}
        for metric in (0.6, 0.7, 0.8):  # texts of one length, within one second
            over(filled, FIRST, [result(1, {"x": 1}, metric)])
            index.refresh()
            assert index.experiment(FIRST).record.metric == metric
            assert index.trial(FIRST, 1).metric == metric
        over(filled, FIRST, state=State.RUNNING)
        index.refresh()
        assert index.experiment(FIRST).state is ExperimentState.RUNNING
        filled.replace(ExperimentPaths(FIRST).record, b"half a rec")
        index.refresh()
        assert index.experiment(FIRST).state is ExperimentState.DAMAGED
        filled.remove(ExperimentPaths(FIRST).root, recursive=True)
        assert index.refresh().removed == (FIRST,)
        assert [entry.id for entry in index.experiments().experiments] == [SECOND]


@pytest.mark.slow
@pytest.mark.parametrize("filled", WITH_TIMES, indirect=True)
def test_an_experiment_that_is_over_is_seen_to_change_by_the_time_of_its_directory(
    filled, monkeypatch
):
    with ExperimentIndex(filled) as index:
        index.refresh()
        time.sleep(DOUBT_SECONDS + 1)
        index.refresh()  # the versions are certain now
        asked = []
        look = scan.content_version
        monkeypatch.setattr(
            scan, "content_version", lambda at, path: (asked.append(path), look(at, path))[1]
        )
        assert not index.refresh()
        assert asked == []
        results = [result(n, {"x": n}, n / 10) for n in (1, 2, 3)]
        filled.replace(ExperimentPaths(SECOND).summary, summary_text(results))
        assert index.refresh().changed == (SECOND,)
        assert index.trials(SECOND, TrialQuery()).total == 3
        paths = ExperimentPaths(SECOND)
        assert asked == [paths.record, paths.summary]


@pytest.mark.parametrize("filled", ["memory"], indirect=True)
def test_without_times_of_directories_a_short_look_leaves_out_what_is_over(filled):
    with ExperimentIndex(filled) as index:
        index.refresh()
        over(filled, FIRST, [result(1, {"x": 1}, 0.9)])
        over(filled, "new-20250101-120000-aaaaaa", state=State.RUNNING)
        assert index.refresh(thorough=False).changed == ("new-20250101-120000-aaaaaa",)
        over(filled, "new-20250101-120000-aaaaaa", state=State.FINISHED)
        assert index.refresh(thorough=False).changed == ("new-20250101-120000-aaaaaa",)
        assert index.refresh().changed == (FIRST,)
