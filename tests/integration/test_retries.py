"""A Prefect run that is run again goes on with its experiment, however it was ended before."""

from __future__ import annotations

from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Running

from hopsml_flows import experiment
from hopsml_flows.driver import record_keeping
from hopsml_flows.errors import ExperimentFailedError, HopsmlWarning, StorageUnavailableError
from hopsml_flows.storage import Project, this_process

from .training import product


@pytest.fixture
def diary(tmp_path):
    """A file that training functions write a line to, and how to read it."""
    path = tmp_path / "diary"

    class Diary:
        file = str(path)

        def lines(self):
            return path.read_text().split() if path.exists() else []

    return Diary()


@pytest.fixture
def breaks(diary):
    """Makes a training function of a number at which the first trial of it fails."""
    file = diary.file

    def make(first_bad):
        def train(x):
            from pathlib import Path

            with open(file, "a") as diary:
                diary.write(f"{x}\n")
            if x >= first_bad and Path(file).read_text().split().count(str(x)) == 1:
                raise OSError("disk full")
            return x

        return train

    return make


def test_a_flow_with_retries_goes_on_with_its_experiment(options, breaks, diary, experiments):
    search = experiment.grid_search.with_options(retries=1)
    result = search(breaks(1), {"x": [1, 2, 3]}, name="again", seed=5, **options)
    assert [trial.metric for trial in result.trials] == [1, 2, 3]
    assert sorted(diary.lines()) == ["1", "1", "2", "2", "3", "3"]
    assert list(experiments()) == [result.id]
    record = experiments()[result.id]
    assert record["flow_run_id"] == record["origin"] == result.flow_run_id
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(UUID(result.flow_run_id)).run_count == 2


def test_a_flow_that_is_run_again_does_not_repeat_the_experiments_it_ran(
    options, breaks, diary, experiments
):
    """The flows that it calls are new runs each time; what was evaluated stays so."""
    attempts = []

    @flow(retries=1)
    def pipeline():
        first = experiment.grid_search(breaks(9), {"x": [1, 2]}, name="first", **options)
        second = experiment.random_search(
            breaks(8), {"x": [7, 9]}, samples=3, name="second", **options
        )
        attempts.append((first, second))
        if len(attempts) < 2:
            raise ValueError("after both")
        return first, second

    pipeline()
    assert len(attempts) == 2
    assert {first.id for first, _ in attempts} | {second.id for _, second in attempts} == set(
        experiments()
    )
    assert len(experiments()) == 2
    assert len({first.flow_run_id for first, _ in attempts}) == 2
    # Failed trials are tried again, once each attempt; the others never are.
    assert sorted(diary.lines()) == ["1", "2", "7", "8", "8", "9", "9"]
    _, second = attempts[-1]
    assert second.failed == ()
    assert [t.params for t in second.trials] == [t.params for t in attempts[0][1].trials]


def test_a_record_that_cannot_be_read_for_a_moment_begins_no_new_experiment(
    options, breaks, diary, experiments, monkeypatch
):
    """Every first read of a record, by the second attempt, is interrupted."""
    read, interrupted = Project.read, []

    def failing_read(self, path, *place):
        if path.endswith("experiment.json") and path not in interrupted:
            interrupted.append(path)
            raise OSError("Input/output error")
        return read(self, path, *place)

    monkeypatch.setattr(Project, "read", failing_read)
    search = experiment.grid_search.with_options(retries=1)
    result = search(breaks(1), {"x": [1, 2]}, **options)
    assert len(interrupted) == 1
    assert list(experiments()) == [result.id]
    assert sorted(diary.lines()) == ["1", "1", "2", "2"]


def test_a_record_that_must_not_be_read_ends_the_attempt_and_begins_no_new_experiment(
    options, breaks, experiments, monkeypatch
):
    read = Project.read

    def refused(self, path, *place):
        if path.endswith("experiment.json"):
            raise PermissionError(13, "Permission denied")
        return read(self, path, *place)

    monkeypatch.setattr(Project, "read", refused)
    search = experiment.grid_search.with_options(retries=1)
    with pytest.raises(StorageUnavailableError, match=r"experiment\.json cannot be read"):
        search(breaks(1), {"x": [1]}, **options)
    assert len(experiments()) == 1


def test_the_same_call_twice_in_a_run_is_two_experiments(options, experiments):
    @flow
    def pipeline():
        return [experiment.grid_search(product, {"x": [1]}, **options).id for _ in range(2)]

    assert sorted(set(pipeline())) == sorted(experiments())
    assert len(experiments()) == 2


def test_an_attempt_with_another_space_begins_a_new_experiment(options, experiments):
    spaces = [{"x": [1, 2]}, {"x": [1, 2, 3]}]

    @flow(retries=1)
    def pipeline():
        experiment.grid_search(product, spaces.pop(0), **options)
        if spaces:
            raise ValueError("changed meanwhile")

    with pytest.warns(HopsmlWarning, match=r"attempt 2 starts a new.*its search space is"):
        pipeline()
    assert [record["trials_succeeded"] for record in experiments().values()] == [2, 3]


def test_an_attempt_whose_predecessor_is_at_work_is_refused(options, experiments, project):
    """The server may take a run for crashed whose process only could not be heard."""
    import json
    import os

    ids = []

    @flow(retries=1)
    def pipeline():
        if not ids:
            ids.append(experiment.grid_search(product, {"x": [1]}, **options).id)
            path = project / "Experiments" / ids[0] / "experiment.json"
            record = json.loads(path.read_text())
            parent = {**this_process(), "pid": os.getppid(), "created": _began(os.getppid())}
            path.write_text(json.dumps({**record, "state": "RUNNING", "driver": parent}))
            raise ValueError("run again, please")
        experiment.grid_search(product, {"x": [1]}, **options)

    with pytest.raises(
        ValueError,
        match=r"^resume: .* cannot be used, because it is still running \(process \d+ on ",
    ):
        pipeline()
    assert list(experiments()) == ids


def _began(pid):
    import psutil

    return psutil.Process(pid).create_time()


def test_the_run_of_a_killed_driver_is_shown_as_crashed_when_its_experiment_goes_on(
    options, breaks, project
):
    import json

    with pytest.raises(ExperimentFailedError) as caught:
        experiment.grid_search(breaks(1), {"x": [1]}, **options)
    first = caught.value.result
    path = project / "Experiments" / first.id / "experiment.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "state": "RUNNING", "driver": {"pid": 1}}))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(first.flow_run_id), Running(), force=True)
        again = experiment.grid_search(breaks(1), {"x": [1]}, resume=first.id, **options)
        assert again.id == first.id
        state = client.read_flow_run(UUID(first.flow_run_id)).state
    assert state.is_crashed()
    assert state.message.endswith(f"its experiment went on in flow run {again.flow_run_id}")


def test_a_run_that_is_stopped_while_it_begins_has_a_killed_record(
    options, experiments, monkeypatch
):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(record_keeping, "experiment_events", stopped)
    with pytest.raises(KeyboardInterrupt):
        experiment.grid_search(product, {"x": [1]}, **options)
    (record,) = experiments().values()
    assert (record["state"], record["trials_total"]) == ("KILLED", 1)
