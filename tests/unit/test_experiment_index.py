"""The index of experiments: brought up to date, asked, damaged, and shared between processes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import psutil
import pytest

from hopsml_flows import experiments
from hopsml_flows.errors import InvalidArgumentError, StorageUnavailableError
from hopsml_flows.service import (
    ExperimentIndex,
    ExperimentQuery,
    ExperimentState,
    TrialQuery,
    parse_condition,
)
from hopsml_flows.service.index import scan
from hopsml_flows.service.index.index_file import index_path
from hopsml_flows.storage import ExperimentPaths, Project, retries, this_process
from hopsml_flows.trials import Failure, State
from tests.unit.test_lease import ended_process
from tests.written import over, result, summary_text

LOST, RUNNING = ExperimentState.LOST, ExperimentState.RUNNING
ELSEWHERE = {**this_process(), "host": "elsewhere"}
OLD = "digits-20240101-120000-aaaaaa"
MIDDLE = "iris-20240201-120000-bbbbbb"
NEW = "digits-20240301-120000-cccccc"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def filled(project):
    over(project, OLD, [result(1, {"x": 1}, 0.7)], tags=("a", "b"))
    over(project, MIDDLE, [result(1, {"x": 1}, 0.2)], user="bob", function="random_search")
    over(project, NEW, [result(n, {"x": n, "opt": "adam"}, n / 10) for n in (1, 2, 3)])
    return project


@pytest.fixture
def index(filled):
    with ExperimentIndex(filled) as made:
        made.refresh()
        yield made


class CountingProject(Project):
    """A project that counts its reads."""

    def __init__(self, url):
        super().__init__(url)
        self.reads = []
        self.lists = 0

    def read(self, path, *bounds):
        self.reads.append(path)
        return super().read(path, *bounds)

    def entries(self, path=""):
        self.lists += 1
        return super().entries(path)


def ids(page):
    return [entry.id for entry in page.experiments]


def test_a_refresh_tells_what_has_changed(filled):
    with ExperimentIndex(filled) as index:
        assert set(index.refresh().changed) == {OLD, MIDDLE, NEW}
        assert not index.refresh()
        over(filled, MIDDLE, [result(1, {"x": 1}, 0.9)])
        assert index.refresh().changed == (MIDDLE,)
        filled.remove(ExperimentPaths(OLD).root, recursive=True)
        assert index.refresh().removed == (OLD,)
        assert ids(index.experiments()) == [NEW, MIDDLE]
        assert index.trials(OLD).total == 0


def test_a_refresh_is_one_listing_and_reads_what_has_changed(filled):
    project = CountingProject(filled.url)
    with ExperimentIndex(project) as index:
        index.refresh()
        assert len(project.reads) == 6
        project.reads.clear()
        project.lists = 0
        index.refresh()
        assert (project.reads, project.lists) == ([], 1)
        paths = over(filled, NEW, state=State.FAILED)
        index.refresh()
        assert project.reads == [paths.record]


def test_an_index_is_there_again_in_the_next_process(filled):
    with ExperimentIndex(filled) as index:
        index.refresh()
    with ExperimentIndex(filled) as index:
        assert ids(index.experiments()) == [NEW, MIDDLE, OLD]
        assert not index.refresh()


def test_one_experiment_alone_can_be_refreshed(filled):
    project = CountingProject(filled.url)
    with ExperimentIndex(project) as index:
        assert index.refresh(only=[NEW]).changed == (NEW,)
        assert project.lists == 0
        assert ids(index.experiments()) == [NEW]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ExperimentQuery(), [NEW, MIDDLE, OLD]),
        (ExperimentQuery(text="DIGITS"), [NEW, OLD]),
        (ExperimentQuery(text="%"), []),
        (ExperimentQuery(name="iris"), [MIDDLE]),
        (ExperimentQuery(name="iri"), []),
        (ExperimentQuery(users=["bob", "eve"]), [MIDDLE]),
        (ExperimentQuery(kinds=["grid_search"]), [NEW, OLD]),
        (ExperimentQuery(tags=["a", "b"]), [OLD]),
        (ExperimentQuery(tags=["a", "c"]), []),
        (ExperimentQuery(since=1706788800.0), [NEW, MIDDLE]),
        (ExperimentQuery(until=1706788799.0), [OLD]),
        (ExperimentQuery(states=[ExperimentState.FAILED]), []),
        (ExperimentQuery(sort="metric"), [OLD, NEW, MIDDLE]),
        (ExperimentQuery(sort="metric", descending=False), [MIDDLE, NEW, OLD]),
        (ExperimentQuery(limit=1, offset=1), [MIDDLE]),
    ],
)
def test_experiments_are_filtered_sorted_and_paged(index, query, found):
    page = index.experiments(query)
    assert ids(page) == found
    if query.limit is None:
        assert page.total == len(found)
    else:
        assert page.total == 3


def test_experiments_without_a_value_come_last_in_both_directions(index, filled):
    over(filled, "none-20250101-120000-dddddd")
    index.refresh()
    for descending in (True, False):
        page = index.experiments(ExperimentQuery(sort="metric", descending=descending))
        assert ids(page)[-1] == "none-20250101-120000-dddddd"


def test_runs_of_a_name_are_folded(index):
    found, total = index.series()
    assert [(each.name, each.count, each.latest.id) for each in found] == [
        ("digits", 2, NEW),
        ("iris", 1, MIDDLE),
    ]
    assert total == 2
    # The older run was better.
    assert found[0].best.id == OLD
    assert [each.metrics for each in found] == [(0.7, 0.3), (0.2,)]


def test_of_runs_that_are_equally_good_the_first_is_the_best(index, filled):
    over(filled, OLD, metric=0.3)
    index.refresh()
    assert index.series()[0][0].best.id == OLD
    # The filters of the list apply to the series, too.
    (series,), _ = index.series(ExperimentQuery(text="digits", since=1709251200.0))
    assert (series.best.id, series.metrics) == (NEW, (0.3,))


def test_choices_are_what_there_is(index):
    assert index.choices() == {
        "names": ["digits", "iris"],
        "kinds": ["grid_search", "random_search"],
        "users": ["ada", "bob"],
        "tags": ["a", "b"],
    }


def test_trials_come_with_the_best_first(index):
    assert [trial.number for trial in index.trials(NEW).trials] == [3, 2, 1]
    assert index.trial(NEW, 2).params == {"x": 2, "opt": "adam"}
    assert index.trial(NEW, 10**40) is None
    assert index.trials("nothing-20240101-000000-000000").total == 0


def test_trials_that_failed_come_after_the_others(index, filled):
    failed = result(
        4, {"x": 4}, 0.99, state=State.FAILED, failure=Failure("MemoryError", "no room")
    )
    over(filled, NEW, [failed, result(1, {"x": 1}, 0.1), result(2, {"x": 2})], direction="MIN")
    index.refresh()
    assert [trial.number for trial in index.trials(NEW).trials] == [1, 2, 4]
    found = index.trials(NEW, TrialQuery(conditions=[parse_condition("error~MEMORY")]))
    assert [str(trial.failure) for trial in found.trials] == ["MemoryError: no room"]


ODD = {
    1: {"x": 1, "kind": "a"},
    2: {"x": 2.5, "kind": "b"},
    3: {"x": "auto", "kind": None},
    4: {"x": True},
    5: {"x": [1, 2], "kind": 'quoted "$[0]" \' ; DROP TABLE trials'},
}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("x>1", [2]),
        ("x>=1", [1, 2, 4]),
        ("x!=1", [2, 3, 5]),
        ("x=auto", [3]),
        ("x>=a", [3]),
        ("x~UTO", [3]),
        ("x!~auto", [1, 2, 4, 5]),
        ("params.x<2", [1, 4]),
        ("kind=null", [3, 4]),
        ("kind~%", []),
        ("kind~DROP TABLE", [5]),
        ("number<=2", [1, 2]),
        ("state=FINISHED", [1, 2, 3, 4, 5]),
        ("x=99999999999999999999999", []),
        ("x=NaN", []),
    ],
)
def test_trials_are_filtered_by_values_of_any_kind(index, filled, condition, found):
    over(filled, NEW, [result(number, params) for number, params in ODD.items()])
    index.refresh()
    query = TrialQuery(conditions=[parse_condition(condition)], sort="number")
    page = index.trials(NEW, query)
    assert [trial.number for trial in page.trials] == found
    assert page.total == len(found)


@pytest.mark.parametrize(
    ("limit", "offset", "found"), [(2, 0, [5, 4]), (2, 2, [3]), (2, 4, []), (0, 0, [])]
)
def test_each_page_of_a_filter_tells_how_many_match(index, filled, limit, offset, found):
    over(filled, NEW, [result(n, {"x": n}, n / 10) for n in (1, 2, 3, 4, 5)])
    index.refresh()
    query = TrialQuery(conditions=[parse_condition("x>2")], limit=limit, offset=offset)
    page = index.trials(NEW, query)
    assert ([trial.number for trial in page.trials], page.total) == (found, 3)


def test_a_filter_looks_through_the_trials_once(index, filled):
    over(filled, NEW, [result(n, {"x": n}, n / 10) for n in (1, 2, 3, 4, 5)])
    index.refresh()
    asked = []
    with index._file.reader() as connection:
        connection.set_trace_callback(asked.append)
    index.trials(NEW, TrialQuery(conditions=[parse_condition("x>2")], limit=2))
    with index._file.reader() as connection:
        connection.set_trace_callback(None)
    assert sum("FROM trials" in statement for statement in asked) == 1


def test_numbers_are_sorted_before_texts_and_what_is_missing_comes_last(index, filled):
    over(filled, NEW, [result(n, ODD.get(n, {}), 0.5) for n in (1, 2, 3, 6)])
    index.refresh()
    for descending, found in ((False, [1, 2, 3, 6]), (True, [2, 1, 3, 6])):
        page = index.trials(NEW, TrialQuery(sort="x", descending=descending))
        assert [trial.number for trial in page.trials] == found


def test_a_name_with_quotes_is_a_column_like_others(index, filled):
    name = "a\"b'c$[0].d"
    over(filled, NEW, [result(n, {name: -n}, 0.5) for n in (1, 2)])
    index.refresh()
    page = index.trials(NEW, TrialQuery(sort=f"params.{name}"))
    assert [trial.number for trial in page.trials] == [2, 1]


def test_a_text_is_found_in_names_values_and_errors(index, filled):
    over(filled, NEW, [result(1, {"x": "Grüße"}), result(2, {"x": "other"})])
    index.refresh()
    for text, found in (("Grüße", [1]), ("0002-X", [2]), ("nothing", [])):
        assert [t.number for t in index.trials(NEW, TrialQuery(text=text)).trials] == found


def test_columns_that_are_not_there_are_named(index):
    with pytest.raises(InvalidArgumentError, match=r"must be one of .*accuracy"):
        index.trials(NEW, TrialQuery(sort="nothing"))
    with pytest.raises(InvalidArgumentError, match="condition: must be one of"):
        index.trials(NEW, TrialQuery(conditions=[parse_condition("nothing=1")]))


def test_columns_come_whole_for_plots(index):
    assert index.values(NEW, ["number", "x", "accuracy", "seconds"]) == {
        "number": [1, 2, 3],
        "x": [1, 2, 3],
        "accuracy": [0.1, 0.2, 0.3],
        "seconds": [10.0, 10.0, 10.0],
    }


def test_a_driver_of_another_machine_that_is_silent_for_long_is_lost(project, index):
    paths = over(project, NEW, state=State.RUNNING, driver={**this_process(), "host": "elsewhere"})
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.RUNNING  # without a lease
    project.replace(paths.beat(1), "{}")
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.RUNNING
    beat = project.local_root / paths.beat(1)
    long_ago = time.time() - 3600
    os.utime(beat, (long_ago, long_ago))
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.LOST
    assert experiments.get(NEW, project).state is ExperimentState.LOST
    project.replace(paths.beat(1), "{}")
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.RUNNING


def test_a_version_changes_when_a_driver_falls_silent_and_when_it_comes_back(project, index):
    paths = over(project, NEW, state=State.RUNNING, driver=ELSEWHERE)
    project.replace(paths.beat(7), "{}")  # its lease was taken over six times
    beat = project.local_root / paths.beat(7)
    seen = []
    for ago in (0, 3600, 3600, 0):
        os.utime(beat, (time.time() - ago,) * 2)
        index.refresh()
        seen.append((index.experiment(NEW).state, index.version(NEW), index.version()))
    states, versions, latest = zip(*seen, strict=True)
    assert states == (RUNNING, LOST, LOST, RUNNING)
    assert versions[0] < versions[1] == versions[2] < versions[3]
    assert versions == latest


def test_a_version_changes_when_a_driver_of_this_machine_ends(project, index):
    driver = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = psutil.Process(driver.pid).create_time()
    told = {**this_process(), "pid": driver.pid, "created": created}
    over(project, NEW, state=State.RUNNING, driver=told)
    index.refresh()
    before = index.version(NEW)
    assert index.experiment(NEW).state is RUNNING
    driver.communicate()
    index.refresh()
    assert index.experiment(NEW).state is LOST
    assert index.version(NEW) > before


@pytest.mark.parametrize(
    ("driver", "listings"), [(this_process(), [0, 0, 0]), (ELSEWHERE, [1, 0, 1])]
)
def test_beats_are_listed_where_this_machine_cannot_tell_and_not_at_each_look(
    project, driver, listings
):
    counting = CountingProject(project.url)
    over(counting, NEW, state=State.RUNNING, driver=driver)
    found = []
    with ExperimentIndex(counting) as index:
        for thorough in (True, False, True):
            counting.lists = 0
            index.refresh(thorough=thorough)
            found.append(counting.lists - 1)
    assert found == listings


def test_a_driver_that_comes_back_under_another_lease_is_seen_with_its_record(project, index):
    paths = over(project, NEW, state=State.RUNNING, driver=ELSEWHERE)
    project.replace(paths.beat(1), "{}")
    os.utime(project.local_root / paths.beat(1), (time.time() - 3600,) * 2)
    index.refresh()
    assert index.experiment(NEW).state is LOST
    over(project, NEW, state=State.RUNNING, driver=ELSEWHERE, attempt=2)
    project.replace(paths.beat(2), "{}")
    index.refresh(thorough=False)
    assert index.experiment(NEW).state is RUNNING


class Hanging(Project):
    """A project of which one directory never answers."""

    hangs = ""

    def entries(self, path=""):
        if self.hangs and path == self.hangs:
            threading.Event().wait()
        return super().entries(path)

    def info(self, path):
        if self.hangs and path.startswith(f"{self.hangs}/.lease"):
            threading.Event().wait()
        return super().info(path)


def test_a_directory_that_does_not_answer_ends_no_look_and_changes_no_state(monkeypatch):
    monkeypatch.setattr(retries, "ANSWER_SECONDS", 0.2)
    project = Hanging("memory://beats-that-hang")
    paths = over(project, NEW, state=State.RUNNING, driver=ELSEWHERE)
    project.replace(paths.beat(1), "{}")
    known = []

    def looks():
        with ExperimentIndex(project) as index:
            index.refresh()
            monkeypatch.setattr(scan, "_SILENT_SECONDS", -1)
            index.refresh()
            project.hangs = paths.root
            index.refresh()
            known.append(index.experiment(NEW).state)

    thread = threading.Thread(target=looks, daemon=True)
    thread.start()
    thread.join(60)
    assert known == [LOST]


def test_one_experiment_that_is_gone_is_removed_from_the_index(project):
    with ExperimentIndex(project) as index:
        paths = over(project, NEW)
        over(project, OLD)
        index.refresh()
        project.remove(paths.root, recursive=True)
        assert index.refresh(only=[NEW]).removed == (NEW,)
        assert ids(index.experiments()) == [OLD]


def test_the_best_of_a_name_is_of_the_newest_runs_aim(project, index):
    over(project, OLD, metric=5.3, optimization_key="loss", direction="MIN")
    over(project, NEW, metric=0.9, optimization_key="accuracy", direction="MAX")
    index.refresh()
    found = {series.name: series for series in index.series()[0]}
    assert (found["digits"].count, found["digits"].best.id) == (2, NEW)
    assert found["digits"].metrics == (0.9,)


def test_a_running_experiment_whose_driver_is_gone_is_lost(index, filled):
    over(filled, NEW, state=State.RUNNING, driver=ended_process())
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.LOST
    for state, found in (("LOST", [NEW]), ("RUNNING", [])):
        assert ids(index.experiments(ExperimentQuery(states=[ExperimentState(state)]))) == found


def test_damaged_and_foreign_directories_break_nothing(index, filled):
    for name, content in (
        ("half-20240401-120000-aaaaaa", b'{"id": "ha'),
        ("bytes-20240402-120000-aaaaaa", os.urandom(999)),
        ("copy-20240403-120000-aaaaaa", filled.read(ExperimentPaths(NEW).record)),
        ("empty-20240404-120000-aaaaaa", None),
    ):
        paths = ExperimentPaths(name)
        filled.make_directory(paths.root)
        if content is not None:
            filled.replace(paths.record, content)
    filled.make_directory("Experiments/application_17_0001")
    filled.make_directory(f"{ExperimentPaths('dir-20240405-120000-aaaaaa').record}/x")
    index.refresh()
    states = {entry.name: entry.state.value for entry in index.experiments().experiments}
    assert states == {
        "dir": "DAMAGED",
        "empty": "UNKNOWN",
        "copy": "DAMAGED",
        "bytes": "DAMAGED",
        "half": "DAMAGED",
        "digits": "FINISHED",
        "iris": "FINISHED",
    }
    found = index.experiments(ExperimentQuery(states=[ExperimentState.DAMAGED]))
    assert all(entry.problem for entry in found.experiments)


def test_a_record_that_is_mended_is_read_again(index, filled):
    paths = ExperimentPaths(NEW)
    whole = filled.read(paths.record)
    filled.replace(paths.record, whole[:40])
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.DAMAGED
    filled.replace(paths.record, whole)
    index.refresh()
    assert index.experiment(NEW).state is ExperimentState.FINISHED


def test_a_listing_that_storage_refuses_leaves_what_was_known(index, filled, monkeypatch):
    def refused(path=""):
        raise PermissionError(13, "refused")

    monkeypatch.setattr(filled, "entries", refused)
    with pytest.raises(StorageUnavailableError, match="refused"):
        index.refresh()
    assert ids(index.experiments()) == [NEW, MIDDLE, OLD]


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_a_file_that_is_no_index_is_thrown_away(filled, content):
    path = index_path(filled)
    path.parent.mkdir(parents=True)
    if content is None:  # a database of another program
        with sqlite3.connect(path) as foreign:
            foreign.execute("CREATE TABLE experiments (x)")
        foreign.close()
    else:
        path.write_bytes(content)
    with ExperimentIndex(filled) as index:
        assert len(index.refresh().changed) == 3
        assert not index._file.in_memory


def test_the_index_of_another_project_is_thrown_away(filled, tmp_path):
    with ExperimentIndex(filled) as index:
        index.refresh()
    other = Project(tmp_path / "other")
    shutil.copy(index_path(filled), index_path(other))
    with ExperimentIndex(other) as index:
        assert ids(index.experiments()) == []


def test_an_index_that_is_damaged_while_it_is_open_is_made_again(filled):
    with ExperimentIndex(filled) as index:
        index.refresh()
        with index._file.writer() as connection:
            connection.execute("UPDATE experiments SET columns = 'no json'")
        assert ids(index.experiments()) == [NEW, MIDDLE, OLD]
        assert index.trials(NEW).total == 3


def test_damaged_pages_of_the_file_are_noticed(filled):
    with ExperimentIndex(filled) as index:
        index.refresh()
    path = index_path(filled)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with ExperimentIndex(filled) as index:
        index.refresh()
        assert ids(index.experiments()) == [NEW, MIDDLE, OLD]


def test_a_file_that_another_process_uses_is_not_removed(filled):
    with ExperimentIndex(filled) as first:
        first.refresh()
        with ExperimentIndex(filled) as second:
            second._file.discard()
            assert second._file.in_memory
            second.refresh()
            assert ids(second.experiments()) == [NEW, MIDDLE, OLD]
        assert ids(first.experiments()) == [NEW, MIDDLE, OLD]
        assert index_path(filled).exists()


def test_without_a_cache_directory_the_index_lives_in_memory(filled, cache):
    cache.write_text("a file where the directory should be")
    with ExperimentIndex(filled) as index:
        index.refresh()
        assert index._file.in_memory
        assert ids(index.experiments()) == [NEW, MIDDLE, OLD]


def test_a_project_in_memory_has_an_index_in_memory(memory_project):
    over(memory_project, NEW, [result(1, {"x": 1}, 0.5)])
    with ExperimentIndex(memory_project) as index:
        index.refresh()
        assert index._file.in_memory
        assert index.trials(NEW).total == 1
        over(memory_project, NEW, [result(n, {"x": n}, 0.5) for n in (1, 2)])
        index.refresh()
        assert index.trials(NEW).total == 2


def test_several_processes_refresh_one_index_while_experiments_change(filled):
    code = (
        "import sys\n"
        "from hopsml_flows.service import ExperimentIndex\n"
        "from hopsml_flows.storage import Project\n"
        "with ExperimentIndex(Project(sys.argv[1])) as index:\n"
        "    for _ in range(20):\n"
        "        index.refresh()\n"
        "        assert index.experiments().total == 3\n"
        "        assert index.trials(sys.argv[2]).total in (1, 2, 3)\n"
        "    assert not index._file.in_memory\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, filled.url, NEW]) for _ in range(3)]
    count = 0
    while any(process.poll() is None for process in processes):
        count += 1
        results = [result(n, {"x": n}, n / 10) for n in range(1, 2 + count % 3)]
        filled.replace(ExperimentPaths(NEW).summary, summary_text(results))
    assert [process.returncode for process in processes] == [0, 0, 0]
    with ExperimentIndex(filled) as index:
        index.refresh()
        assert index.trials(NEW).total == len(results)


def test_threads_ask_while_one_refreshes(index, filled):
    over_all = threading.Event()
    wrong = []

    def ask():
        while not over_all.is_set():
            page = index.trials(NEW)
            if page.total != len(page.trials):
                wrong.append(page)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for count in range(30):
        results = [result(n, {"x": n}, n / 10) for n in range(1, 2 + count % 4)]
        filled.replace(ExperimentPaths(NEW).summary, summary_text(results))
        index.refresh()
    over_all.set()
    for asker in askers:
        asker.join()
    assert not wrong


def test_what_a_page_shows_of_a_trial_is_what_the_summary_says(index, filled):
    told = json.loads(filled.read(ExperimentPaths(NEW).summary))["combinations"]
    for entry, trial in zip(told, index.trials(NEW, TrialQuery(sort="number")).trials, strict=True):
        assert trial.params == entry["parameters"]
        assert trial.outputs == entry["outputs"]
        assert trial.metric == entry["metric"]
