"""What the index makes of records and summaries, whole or damaged."""

from __future__ import annotations

import json

import pytest

from hopsml_flows.service.index.entries import read_entry, read_trials
from hopsml_flows.storage import Project
from hopsml_flows.trials import Failure, State
from tests.written import over, result, summary_text

ID = "digits-20240301-120000-aaaaaa"


def record_text(**changes):
    project = Project("memory://entries")
    return project.read(over(project, ID, **changes).record)


def test_an_entry_has_the_facts_of_its_record():
    entry = read_entry(ID, record_text(trials_total=9, trials_succeeded=4, trials_failed=1))
    assert (entry.state.value, entry.name, entry.trials_done) == ("FINISHED", "digits", 5)
    assert entry.started == 1709294400.0
    assert entry.problem is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no record"),
        (b'{"id": "dig', "is no record"),
        (b"[]", "a JSON object"),
        (b"\xff\xfe", "is no record"),
        (b"[" * 100_000, "is no record"),
        (b'{"state": "FINISHED"}', "lacks something"),
        (json.dumps({"state": "STOPPED"}).encode(), "is no record"),
    ],
)
def test_a_record_that_cannot_be_read_is_a_damaged_entry(content, words):
    entry = read_entry(ID, content)
    assert entry.state.value == "DAMAGED"
    assert words in entry.problem
    assert (entry.name, entry.started) == ("digits", 1709294400.0)


def test_the_record_of_another_experiment_is_said_to_be_one():
    entry = read_entry("iris-20240301-120000-aaaaaa", record_text())
    assert entry.record is None
    assert ID in entry.problem


def test_numbers_beyond_all_bounds_do_not_break_an_entry():
    entry = read_entry(ID, record_text(trials_total=10**30, trials_failed=10**30, metric=10**400))
    assert entry.record.trials_total is None
    assert entry.record.metric is None
    assert entry.trials_done == 0


def test_an_experiment_without_a_record_is_unknown():
    assert read_entry(ID, None).state.value == "UNKNOWN"


def test_columns_tell_of_ranges_and_of_what_is_alike():
    told = read_trials(
        summary_text([result(1, {"x": 1, "y": "a"}, 0.5), result(2, {"x": 3, "y": "a"})]).encode()
    )
    columns = {column.path: column for column in told.columns}
    assert list(columns) == ["params.x", "params.y", "outputs.accuracy"]
    assert (columns["params.x"].low, columns["params.x"].high) == (1, 3)
    assert columns["params.x"].numeric
    assert not columns["params.x"].alike
    assert columns["params.y"].alike
    assert not columns["params.y"].numeric
    # The second trial has no accuracy.
    assert not columns["outputs.accuracy"].alike


def test_a_summary_that_was_cut_short_keeps_its_whole_lines():
    text = summary_text([result(n, {"x": n}, n / 10) for n in (1, 2, 3)])
    told = read_trials(text[: text.index('"x": 3')].encode())
    assert [trial.number for _, trial, _, _ in told.trials] == [1, 2]
    assert told.problem == "is cut short"
    assert told.unread == 1


def test_a_damaged_line_loses_its_own_trial_only():
    text = summary_text([result(n, {"x": n}, n / 10) for n in (1, 2, 3)])
    told = read_trials(text.replace('"x": 2', '"x": ?').encode())
    assert [trial.number for _, trial, _, _ in told.trials] == [1, 3]
    assert told.problem == "has lines that are not JSON"


def test_a_summary_in_another_layout_is_read_as_a_whole():
    content = json.loads(summary_text([result(1, {"x": 1}, 0.5)]))
    told = read_trials(json.dumps(content, indent=2).encode())
    assert [trial.params for _, trial, _, _ in told.trials] == [{"x": 1}]
    assert told.problem is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b'{"combinations": 7}', b"[" * 100_000, b"\xff", b"null"],
)
def test_what_is_no_summary_has_a_problem_and_no_trials(content):
    told = read_trials(content)
    assert told.problem
    assert not told.trials


def test_entries_of_another_kind_are_counted_and_left_out():
    entries = [
        7,
        {"parameters": {"x": 1}, "outputs": {}},
        {"parameters": {"x": [[[[1]]]]}, "trial": "0001", "state": []},
        {"parameters": {}, "trial": f"{'9' * 40}-x", "state": "FINISHED"},
    ]
    told = read_trials(json.dumps({"combinations": entries}).encode())
    assert (len(told.trials), told.unread) == (0, 4)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_entry_that_is_nested_too_deep_is_left_out(indent):
    deep = json.loads("[" * 500 + "]" * 500)
    good = {"parameters": {}, "trial": "0002", "state": "FINISHED"}
    for bad in (
        {"parameters": {"x": deep}, "trial": "0001", "state": "FINISHED"},
        {"parameters": {}, "trial": "0001", "state": "FINISHED", "more": deep},
    ):
        lines = ",\n".join(map(json.dumps, (bad, good)))
        content = f'{{"combinations": [\n{lines}\n]}}\n'
        if indent:
            content = json.dumps(json.loads(content), indent=indent)
        told = read_trials(content.encode())
        assert ([trial.number for _, trial, _, _ in told.trials], told.unread) == ([2], 1)


@pytest.mark.parametrize("name", ["0001-/../../etc", "0001-x\0", "0001\n", "0001-\n"])
def test_a_name_that_leads_elsewhere_is_no_trial(name):
    entry = {"parameters": {}, "trial": name, "state": "FINISHED"}
    assert read_trials(json.dumps({"combinations": [entry]}).encode()).unread == 1


def test_cells_are_what_sqlite_can_compare():
    params = {
        "big": 10**30,
        "deep": [1, {"a": 2}],
        "odd": "\ud800",
        "long": "a" * 999,
        "none": None,
    }
    entry = {"parameters": params, "trial": "0001-x", "state": "FINISHED"}
    told = read_trials(json.dumps({"combinations": [entry]}).encode())
    ((_, _, _, cells),) = told.trials
    big, deep, odd, long, none = json.loads(cells)
    assert (big, deep, odd, none) == (1e30, '[1, {"a": 2}]', "\\ud800", None)
    assert long == "a" * 200


def test_failures_and_generations_come_back():
    results = [
        result(1, {"x": 1}, state=State.FAILED, failure=Failure("ValueError", "no model")),
        result(2, {"x": 2}, 0.5, generation=3),
    ]
    failed, grown = (trial for _, trial, _, _ in read_trials(summary_text(results).encode()).trials)
    assert str(failed.failure) == "ValueError: no model"
    assert (grown.generation, grown.directory) == (3, "generation.3/0002-x=2")
