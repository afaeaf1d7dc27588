"""With which files a trial's checkpoint directory begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopsml_flows.execution import Job, packed
from hopsml_flows.execution.files.checkpoints import checkpoint_directory
from hopsml_flows.execution.files.staging import Staging
from hopsml_flows.execution.group import Process
from hopsml_flows.execution.group.checkpoints import prepare_checkpoints
from hopsml_flows.execution.group.member import group_directory, make_private
from hopsml_flows.storage.interface import temporary_beside
from hopsml_flows.trials import Framework, GroupShape, Trial

TWO = GroupShape(Framework.ANY, 2)


@pytest.fixture
def job(memory_project, tmp_path):
    return Job(
        function=packed(lambda: None, by_value=True),
        project=memory_project,
        experiment_id="e-1",
        optimization_key=None,
        needs_metric=False,
        local_logdir=False,
        directory=str(tmp_path),
        scratch=str(tmp_path),
    )


def trial_of(attempt=1, continues=None):
    return Trial(9, "0009", {}, attempt=attempt, directory="0009", continues=continues)


def put(job, directory, **files):
    for name, text in files.items():
        path = job.paths.trial(directory, f"checkpoints/{name.replace('__', '/')}")
        job.project.replace(path, text)


def files_in(directory):
    found = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix(): file.read_text() for file in found}


def alone(job, trial, tmp_path):
    return checkpoint_directory(job, trial, tmp_path / "staged")


def in_group(job, trial, tmp_path, *, group="one", several_hosts=False):
    make_private(group_directory(job.scratch, job.experiment_id, trial.number))
    process = Process(group, TWO.leader, TWO, "mirrored", several_hosts=several_hosts)
    return prepare_checkpoints(job, trial, process)


def on_several_hosts(job, trial, tmp_path):
    return in_group(job, trial, tmp_path, several_hosts=True)


@pytest.mark.parametrize("begin", [alone, in_group, on_several_hosts])
def test_an_attempt_whose_worker_died_in_an_upload_does_not_cost_the_rung_before(
    job, tmp_path, begin
):
    put(job, "0003", step="3", model__weights="w3", model__moments="m3")
    put(job, "0009", step="4")  # the first of its files: then the worker died
    begun = begin(job, trial_of(attempt=2, continues="0003"), tmp_path)
    assert files_in(begun) == {"step": "4", "model/weights": "w3", "model/moments": "m3"}


@pytest.mark.parametrize("begin", [alone, in_group, on_several_hosts])
def test_a_promoted_trial_begins_with_the_files_of_the_rung_before(job, tmp_path, begin):
    put(job, "0003", step="3")
    assert files_in(begin(job, trial_of(continues="0003"), tmp_path)) == {"step": "3"}


@pytest.mark.parametrize("begin", [alone, in_group, on_several_hosts])
def test_another_attempt_begins_with_its_own_files(job, tmp_path, begin):
    put(job, "0009", step="4")
    assert files_in(begin(job, trial_of(attempt=2), tmp_path)) == {"step": "4"}


@pytest.mark.parametrize("begin", [alone, in_group, on_several_hosts])
def test_a_file_that_became_a_directory_or_the_other_way_round_is_the_attempts_own(
    job, tmp_path, begin
):
    put(job, "0003", model="one file", state__a="1", state__b="2")
    put(job, "0009", model__weights="w", state="one file")
    begun = begin(job, trial_of(attempt=2, continues="0003"), tmp_path)
    assert files_in(begun) == {"model/weights": "w", "state": "one file"}


def test_on_several_hosts_each_attempt_begins_with_the_files_on_storage(job, tmp_path):
    begun = in_group(job, trial_of(), tmp_path, several_hosts=True)
    (begun / "only-here").touch()
    put(job, "0009", step="4")
    again = in_group(job, trial_of(attempt=2), tmp_path, group="two", several_hosts=True)
    assert files_in(again) == {"step": "4"}
    (again / "from-a-member").touch()
    assert in_group(job, trial_of(attempt=2), tmp_path, group="two", several_hosts=True) == again
    assert (again / "from-a-member").exists()


def test_on_one_host_an_attempt_finds_what_the_one_before_left_there(job, tmp_path):
    put(job, "0009", step="4")
    begun = in_group(job, trial_of(), tmp_path)
    (begun / "step").write_text("5")
    again = in_group(job, trial_of(attempt=2), tmp_path, group="two")
    assert files_in(again) == {"step": "5"}


def test_an_attempt_that_comes_back_to_a_host_finds_what_one_elsewhere_left_on_storage(
    job, tmp_path
):
    begun = in_group(job, trial_of(), tmp_path)
    (begun / "step").write_text("3")
    put(job, "0009", step="7")  # by the second attempt, on another host
    again = in_group(job, trial_of(attempt=3), tmp_path, group="three")
    assert files_in(again) == {"step": "7"}


@pytest.mark.parametrize("begin", [alone, in_group, on_several_hosts])
def test_where_files_cannot_be_copied_nothing_is_left(job, tmp_path, begin):
    long = "b" * 300
    put(job, "0003", a="1", **{long: "no local disk has such a name"})
    with pytest.raises(OSError, match="name too long"):
        begin(job, trial_of(continues="0003"), tmp_path)
    # The function that asked for it may go on: nothing half-copied is uploaded with its files.
    assert not [file for file in tmp_path.rglob("*") if file.name == "a"]
    job.project.remove(job.paths.trial("0003", f"checkpoints/{long}"))
    assert files_in(begin(job, trial_of(continues="0003"), tmp_path)) == {"a": "1"}


def test_checkpoints_on_their_way_are_not_among_the_trials_files(
    memory_project, job, tmp_path, monkeypatch
):
    put(job, "0003", a="1", b="2")
    trial = trial_of(continues="0003")
    staging = Staging(memory_project, job.paths, trial, local_logdir=False, scratch=str(tmp_path))
    download, seen = memory_project.download, []

    def downloaded(name, local):
        download(name, local)
        seen.append([file.name for file in staging._files()])

    monkeypatch.setattr(job.project, "download", downloaded)
    try:
        checkpoint_directory(job, trial, staging.path)
        assert seen == [[], []]
        assert [file.name for file in staging._files()] == ["a", "b"]
    finally:
        staging.close()


def test_what_a_killed_worker_had_copied_is_not_listed_on_a_local_project(project):
    trial = project.local_root / "Experiments" / "e-1" / "0009"
    copied = Path(temporary_beside(f"{trial}/checkpoints")) / "model"
    copied.mkdir(parents=True)
    (copied / "weights").touch()
    (trial / "output.log").touch()
    found = [file.name for file in project.walk_files("Experiments/e-1")]
    assert found == ["Experiments/e-1/0009/output.log"]
    assert [entry.name for entry in project.entries("Experiments/e-1/0009")] == found
