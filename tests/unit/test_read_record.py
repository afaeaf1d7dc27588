"""The one reader of records and summaries, and its users: none, damaged, away, refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hopsml_flows.errors import (
    DamagedFileError,
    HopsmlWarning,
    InvalidArgumentError,
    StorageUnavailableError,
)
from hopsml_flows.plan.earlier_record import earlier_record, intact_records
from hopsml_flows.plan.retry import Attempt, find_started
from hopsml_flows.service.experiment_finder import find_experiment
from hopsml_flows.storage import ExperimentPaths, Project, retries
from hopsml_flows.tracking import (
    ExperimentRecord,
    intact_record,
    read_record,
    read_summary,
    read_trials,
)
from hopsml_flows.tracking.listing import experiments
from hopsml_flows.trials import Past

ATTEMPT = Attempt("origin-1", 2)
ID = f"digits-20260101-020000-{ATTEMPT.suffix}"
TWIN = "digits-20260101-020000-aaaaaa"
RECORD = ExperimentRecord(
    ID, "digits", "demo", "launch", "EXPERIMENT", "m:f", origin="origin-1", start="2026"
)


@pytest.fixture
def there(project):
    def write(text=None, identifier=ID):
        paths = ExperimentPaths(identifier)
        project.make_directory(paths.root)
        if text != "":
            project.replace(paths.record, text or RECORD.to_json())
        return project.full(paths.record)

    return write


@pytest.fixture
def failing(monkeypatch):
    """Let reads raise errors, one after the other; what is left of them."""

    def fail(*errors):
        read, left = Project.read, list(errors)

        def failing_read(self, path, start=0, stop=None):
            if left:
                raise left.pop(0)
            return read(self, path, start, stop)

        monkeypatch.setattr(Project, "read", failing_read)
        monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.01)
        return left

    return fail


READERS = {
    "reader": lambda project: read_record(project, ID),
    "service": lambda project: intact_record(project, ID),
    "warm start": lambda project: next(intact_records(project, [ID], "no seeds of")),
    "resume": lambda project: earlier_record(project, ID),
    "retry": lambda project: find_started(project, ATTEMPT),
}


@pytest.mark.parametrize("reader", READERS)
def test_errors_that_pass_are_waited_out(project, there, failing, reader):
    there()
    left = failing(TimeoutError("busy"), OSError("I/O error"), ConnectionResetError("reset"))
    assert READERS[reader](project) == RECORD
    assert left == []


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("odd")])
def test_a_refusal_is_an_error_that_names_the_file_and_not_a_missing_record(
    project, there, failing, reader, error
):
    path = there()
    failing(*[error] * 5)
    with pytest.raises(StorageUnavailableError) as caught:
        READERS[reader](project)
    assert str(caught.value).startswith(f"{path} cannot be read ({type(error).__name__}: ")


@pytest.mark.parametrize("reader", READERS)
def test_what_stays_away_for_long_is_an_error(project, there, failing, reader, monkeypatch):
    there()
    failing(*[TimeoutError("busy")] * 100)
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(StorageUnavailableError, match="TimeoutError: busy"):
        READERS[reader](project)


def test_without_a_record_there_is_none(project, there):
    there("")
    assert read_record(project, ID) is None
    assert intact_record(project, ID) is None
    assert list(intact_records(project, [ID], "no seeds of")) == []
    assert find_started(project, ATTEMPT) is None
    with pytest.raises(InvalidArgumentError, match=r"^resume: must be an experiment of"):
        earlier_record(project, ID)
    project.replace("Experiments/a-file", "x")
    assert read_record(project, "a-file") is None


DAMAGES = [
    "{", "[]", "{}", "null", "[" * 100_000, b"\xff",
    *(
        json.dumps({**json.loads(RECORD.to_json()), **changed})
        for changed in (
            {"options": []}, {"options": "x"}, {"driver": 5}, {"search_space": [1]},
            {"name": None}, {"id": 7}, {"direction": 5}, {"duration": "long"}, {"tags": "ab"},
            {"tags": [1]}, {"metric": "high"}, {"trials_total": "x"}, {"schema": None},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGES, ids=lambda text: repr(text)[-60:])
def test_a_damaged_record_is_an_outcome_of_its_own_and_names_the_file(project, there, text):
    path = there(text)
    with pytest.raises(DamagedFileError) as caught:
        read_record(project, ID)
    assert str(caught.value).startswith(f"{path} is no record (")
    with pytest.raises(InvalidArgumentError, match=rf"^resume: .* its record cannot .*{path}"):
        earlier_record(project, ID)
    assert intact_record(project, ID) is None
    with pytest.warns(HopsmlWarning, match=rf"^no seeds of {ID}: {path} is no record"):
        assert list(intact_records(project, [ID], "no seeds of")) == []
    with pytest.warns(HopsmlWarning, match=rf"attempt 2 cannot go on with {ID}: {path}"):
        assert find_started(project, ATTEMPT) is None


def test_what_is_empty_may_have_been_written_as_nothing(project, there):
    there(json.dumps({**json.loads(RECORD.to_json()), "options": None, "driver": None}))
    record = read_record(project, ID)
    assert (record.options, record.driver) == ({}, {})


@pytest.mark.parametrize("reader", READERS)
def test_a_record_of_a_newer_version_is_read_without_what_is_not_known(project, there, reader):
    there(json.dumps({**json.loads(RECORD.to_json()), "schema": 99, "carbon": {"kg": 1}}))
    assert READERS[reader](project) == replace(RECORD, schema=99)


def test_a_summary_has_the_outcomes_of_a_record(project, there, failing):
    there()
    summary = ExperimentPaths(ID).summary
    assert read_summary(project, ID) is None
    entry = {"trial": "0001", "parameters": {"x": 1}, "metric": 0.5, "state": "FINISHED"}
    project.replace(summary, json.dumps({"combinations": [entry, 5]}))
    left = failing(TimeoutError("busy"))
    assert read_summary(project, ID) == ([Past("0001", {"x": 1}, 0.5)], 1)
    assert [(trial.number, trial.metric) for trial in read_trials(project, ID)] == [(1, 0.5)]
    assert left == []
    failing(PermissionError(13, "Permission denied"))
    with pytest.raises(StorageUnavailableError, match=r"summary\.json cannot be read \(Permission"):
        read_summary(project, ID)
    project.replace(summary, "{")
    with pytest.raises(DamagedFileError, match=r"summary\.json is not JSON"):
        read_summary(project, ID)
    with pytest.raises(DamagedFileError, match=r"summary\.json is not JSON"):
        read_trials(project, ID)


def test_a_listing_of_experiments_waits_for_storage_that_is_away(project, there, monkeypatch):
    there()
    entries, errors = Project.entries, [TimeoutError("busy"), ConnectionResetError("reset")]

    def failing_entries(self, path=""):
        if errors:
            raise errors.pop(0)
        return entries(self, path)

    monkeypatch.setattr(Project, "entries", failing_entries)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.01)
    assert experiments(project) == [ID]
    assert errors == []


def test_the_last_of_one_second_is_found_beside_a_damaged_record(project, there, failing):
    there(identifier=TWIN)
    there("{")
    failing(TimeoutError("busy"))
    assert find_experiment(project, "last").id == TWIN
