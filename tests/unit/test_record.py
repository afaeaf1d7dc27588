from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import psutil
import pytest

from hopsml_flows.storage import ExperimentPaths, process_lives, this_process
from hopsml_flows.tracking import ExperimentRecord, RecordFile
from hopsml_flows.tracking.record import SCHEMA, current_user
from hopsml_flows.trials import State

PATHS = ExperimentPaths("digits-1")


@pytest.fixture
def record(project):
    project.make_directory(PATHS.root)
    return RecordFile(
        project,
        PATHS,
        ExperimentRecord(
            id="digits-1",
            name="digits",
            project="demo",
            function="grid_search",
            experiment_type="PARALLEL_EXPERIMENTS",
            train="m:f",
            direction="MAX",
            search_space={"x": [1, 2]},
            tags=("a", "b"),
        ),
    )


def stored(project):
    return json.loads(project.read(PATHS.record))


def test_nothing_is_written_before_it_is_asked_for(project, record):
    assert not project.exists(PATHS.record)


def test_a_running_record_says_who_and_since_when(project, record):
    record.write()
    found = stored(project)
    assert found["state"] == "RUNNING"
    assert found["user"] == current_user()
    assert datetime.fromisoformat(found["start"]).tzinfo == UTC
    assert found["end"] is None
    assert found["schema"] == SCHEMA
    assert found["search_space"] == {"x": [1, 2]}
    assert found["tags"] == ["a", "b"]


def test_a_change_keeps_everything_else(project, record):
    record.write(program="p.py")
    record.write(environment="e.txt")
    assert stored(project)["program"] == "p.py"
    assert stored(project)["environment"] == "e.txt"
    assert record.record.environment == "e.txt"


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.KILLED])
def test_the_end_has_state_time_and_duration(project, record, state):
    record.write()
    record.finish(state, metric=0.5, error="why")
    found = stored(project)
    assert (found["state"], found["metric"], found["error"]) == (state.value, 0.5, "why")
    assert datetime.fromisoformat(found["end"]) >= datetime.fromisoformat(found["start"])
    assert found["duration"] >= 0


def test_the_record_holds_what_hopsmls_registry_did(project, record):
    record.write()
    assert {
        "id", "name", "project", "description", "state", "function", "experiment_type",
        "direction", "optimization_key", "metric", "duration", "best_dir", "environment",
        "program", "user", "start", "end", "model", "search_space",
    } <= set(stored(project))  # fmt: skip


def test_an_unknown_field_is_refused(record):
    with pytest.raises(TypeError):
        record.write(nonsense=1)


def test_a_record_is_read_back_as_it_was_written(project, record):
    record.write(options={"seed": 7, "initial": [{"x": 1.5}]}, driver=this_process())
    record.finish(State.KILLED, metric=0.5, trials_succeeded=3)
    assert ExperimentRecord.from_json(project.read(PATHS.record)) == record.record


def test_a_record_of_a_later_version_is_read_without_what_is_not_known(project, record):
    record.write()
    content = {**stored(project), "schema": SCHEMA + 1, "invented_later": {"a": 1}}
    read = ExperimentRecord.from_json(json.dumps(content))
    assert read.id == "digits-1"
    assert read.schema == SCHEMA + 1
    assert read.tags == ("a", "b")


def test_a_record_of_an_earlier_version_is_read_with_defaults():
    read = ExperimentRecord.from_json(
        b'{"id": "d-1", "name": "d", "project": "p", "function": "launch", "train": "m:f",'
        b' "experiment_type": "EXPERIMENT", "state": "FINISHED"}'
    )
    assert (read.state, read.tags, read.driver, read.options) == (State.FINISHED, (), {}, {})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", '"x"', "{}", b"\xff\xfe", '{"state": "FINISHED"}'],
    ids=repr,
)
def test_what_is_no_record_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        ExperimentRecord.from_json(text)


@pytest.mark.parametrize("changed", [{"state": "PAUSED"}, {"state": None}, {"tags": 5}])
def test_a_field_that_cannot_be_is_a_value_error(project, record, changed):
    record.write()
    with pytest.raises(ValueError, match=r"."):
        ExperimentRecord.from_json(json.dumps({**stored(project), **changed}))


def test_a_record_that_goes_on_keeps_its_start_and_adds_to_its_duration(project):
    project.make_directory(PATHS.root)
    start = "2026-01-02T03:04:05.000+00:00"
    again = RecordFile(
        project,
        PATHS,
        ExperimentRecord("digits-1", "digits", "demo", "launch", "EXPERIMENT", "m:f", start=start),
        seconds_before=1000.0,
    )
    again.finish(State.FINISHED)
    found = stored(project)
    assert found["start"] == start
    assert found["duration"] >= 1000.0


def test_this_process_lives():
    assert process_lives(json.loads(json.dumps(this_process()))) is True


def test_a_process_that_has_ended_does_not_live():
    code = (
        "import json; from hopsml_flows.storage import this_process; "
        "print(json.dumps(this_process()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert process_lives(json.loads(done.stdout)) is False


def test_a_later_process_of_the_same_number_is_another_one():
    assert process_lives({**this_process(), "created": 1.0}) is False


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), psutil.NoSuchProcess(1)], ids=repr)
def test_of_another_users_process_that_proc_hides_nothing_is_known(monkeypatch, error):
    """What psutil and the kernel say where ``/proc`` is mounted with ``hidepid``."""
    driver = this_process()

    def refuse(*_):
        raise error

    def signal(*_):
        raise PermissionError

    monkeypatch.setattr(psutil, "Process", refuse)
    monkeypatch.setattr(os, "kill", signal)
    assert process_lives(driver) is None


@pytest.mark.parametrize("created", [10**400, -(10**400), math.inf])
def test_a_time_that_is_none_is_of_no_process(created):
    assert process_lives({**this_process(), "created": created}) is False


def test_of_a_process_elsewhere_nothing_is_known():
    assert process_lives({**this_process(), "host": "elsewhere"}) is None


def test_without_a_process_none_lives():
    assert not process_lives({})
    assert not process_lives({"host": socket.gethostname()})
    assert not process_lives({"host": socket.gethostname(), "created": 1.0, "pid": os.getpid()})
