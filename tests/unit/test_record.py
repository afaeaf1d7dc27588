from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hopsml_flows.storage import ExperimentPaths
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
