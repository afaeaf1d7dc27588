"""What storage did not take is kept, and taken in when it is resumed."""

from __future__ import annotations

import json
import shutil

import pytest

from hopsml_flows.execution import Staging, read_committed, take_kept
from hopsml_flows.execution.files.kept_files import keep, kept_trials
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.trials import State, Trial, TrialResult

PATHS = ExperimentPaths("e-1")


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "kept"


def trial_of(directory="0001-x=1", attempt=1):
    return Trial(1, "0001-x=1", {"x": 1}, directory=directory, attempt=attempt)


def finished(trial, metric=0.5):
    return TrialResult(1, trial.name, {"x": 1}, State.FINISHED, metric, {"metric": metric},
                       directory=trial.directory, ended=float(trial.attempt))  # fmt: skip


class Closed(Project):
    """A project whose token has expired."""

    def replace(self, path, data):
        raise PermissionError("token expired")

    upload = append = make_directory = replace


@pytest.fixture
def keeps(memory_project):
    def trial_keeps(trial=None, metric=0.5):
        trial = trial or trial_of()
        staging = Staging(Closed(memory_project.url), PATHS, trial, local_logdir=False)
        staging.write(TrialFiles.HPARAMS, '{"x": 1}')
        (staging.path / "sub").mkdir()
        (staging.path / "sub" / "model.bin").write_bytes(b"m" * 1000)
        result = staging.commit(finished(trial, metric))
        staging.close()
        assert result.failure.kind == "StorageUnavailableError"
        return result.failure.kept.partition(":")[2]

    return trial_keeps


@pytest.mark.parametrize("directory", ["0001-x=1", "generation.0/0001-x=1", ""])
def test_a_kept_trial_is_done_when_it_is_taken_in(memory_project, keeps, kept, directory):
    trial = trial_of(directory)
    keeps(trial)
    assert take_kept(memory_project, PATHS) == [directory]
    assert read_committed(memory_project, PATHS, trial).metric == 0.5
    assert memory_project.read(PATHS.trial(directory, "sub/model.bin")) == b"m" * 1000
    assert [file for file in kept.rglob("*") if file.is_file()] == []
    assert take_kept(memory_project, PATHS) == []


def test_of_several_attempts_the_last_is_taken_in(memory_project, keeps):
    keeps(trial_of(), 0.1)
    keeps(trial_of(attempt=2), 0.2)
    assert take_kept(memory_project, PATHS) == ["0001-x=1"]
    assert read_committed(memory_project, PATHS, trial_of()).metric == 0.2


def test_a_trial_that_is_done_already_stays_as_it_is(memory_project, keeps):
    keeps(metric=0.1)
    take_kept(memory_project, PATHS)
    keeps(metric=0.2)
    take_kept(memory_project, PATHS)
    assert read_committed(memory_project, PATHS, trial_of()).metric == 0.1


def test_a_trial_of_which_a_file_is_missing_is_not_taken_in(memory_project, keeps, kept):
    place = keeps()
    shutil.rmtree(f"{place}/sub")
    assert take_kept(memory_project, PATHS) == []
    assert read_committed(memory_project, PATHS, trial_of()) is None
    assert list(kept.rglob(TrialFiles.OUTPUTS))


def test_what_storage_refuses_again_stays_kept(memory_project, keeps, kept):
    keeps()
    with pytest.raises(PermissionError):
        take_kept(Closed(memory_project.url), PATHS)
    assert len(kept_trials(PATHS.id)) == 1


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"_commit": 3}', '{"_commit": {"files": 3, "ended": 1}}',
     '{"_commit": {"experiment": "another", "files": [], "ended": 1}}'],
)  # fmt: skip
def test_what_is_no_commit_of_the_experiment_is_left_alone(kept, text):
    place = kept / "e-1" / "0001-x=1"
    place.mkdir(parents=True)
    (place / TrialFiles.OUTPUTS).write_text(text)
    assert kept_trials("e-1") == []


def test_what_an_older_version_kept_is_taken_in_by_its_directory(memory_project, keeps):
    place = keeps()
    path = f"{place}/{TrialFiles.OUTPUTS}"
    with open(path) as file:
        outputs = json.load(file)
    del outputs["_commit"]["directory"], outputs["_commit"]["experiment"]
    with open(path, "w") as file:
        json.dump(outputs, file)
    assert take_kept(memory_project, PATHS) == ["0001-x=1"]


def test_a_root_without_room_is_passed_over(kept, tmp_path):
    kept.write_text("a file in the way")
    files = tmp_path / "files"
    files.mkdir()
    (files / "a").write_text("1")
    place = keep(files, "e-1", trial_of())
    assert place == tmp_path / "home" / "hopsml_kept" / "e-1" / "0001-x=1"
    assert (place / "a").read_text() == "1"


def test_on_a_full_local_disk_the_result_is_kept_and_the_directory_stays(full_disk, kept):
    project = Project(full_disk.root / "project")
    staging = Staging(project, PATHS, trial_of(), local_logdir=False)
    staging.write(TrialFiles.HPARAMS, '{"x": 1}')
    (staging.path / "model.bin").write_bytes(b"m" * 1000)
    full_disk.fill()
    staging.write(TrialFiles.EVENTS_END, "end")
    result = staging.commit(finished(trial_of()))
    staging.close()
    assert result.failure.kind == "StorageUnavailableError"
    assert str(staging.path) in result.failure.message
    assert str(kept) in result.failure.message
    assert (staging.path / "model.bin").exists()

    full_disk.free()
    assert take_kept(project, PATHS) == ["0001-x=1"]
    assert read_committed(project, PATHS, trial_of()).metric == 0.5
    assert project.read(PATHS.trial("0001-x=1", TrialFiles.EVENTS_END)) == b"end"
    assert project.read(PATHS.trial("0001-x=1", TrialFiles.METRIC)) == b"0.5"


def test_an_attached_file_without_room_leaves_no_half_and_is_kept(full_disk, tmp_path, kept):
    project = Project(full_disk.root / "project")
    source = tmp_path / "model.bin"
    source.write_bytes(b"m" * 6_000_000)  # the disk has 4 MB
    staging = Staging(project, PATHS, trial_of(), local_logdir=False)
    outputs = staging.attach({"metric": 0.5, "model": str(source)})
    assert outputs["model"] == PATHS.trial("0001-x=1", "model.bin")
    assert list(staging.path.iterdir()) == []
    result = staging.commit(finished(trial_of()))
    assert result.failure.kind == "StorageUnavailableError"
    [model] = kept.rglob("model.bin")
    assert model.stat().st_size == 6_000_000


def test_a_file_that_only_this_machine_has_no_room_for_reaches_the_project(
    memory_project, full_disk, tmp_path, kept
):
    source = tmp_path / "model.bin"
    source.write_bytes(b"m" * 6_000_000)
    staging = Staging(
        memory_project, PATHS, trial_of(), local_logdir=False, scratch=str(full_disk.root)
    )
    staging.attach({"model": str(source)})
    result = staging.commit(finished(trial_of()))
    staging.close()
    assert result.succeeded
    assert memory_project.info(PATHS.trial("0001-x=1", "model.bin")).size == 6_000_000
    assert list(kept.rglob("model.bin")) == []


def test_without_any_room_the_error_says_so_and_nothing_half_stays(
    full_disk, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOPSML_KEPT", str(full_disk.root / "kept"))
    monkeypatch.setenv("HOME", str(full_disk.root / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(full_disk.root))
    source = tmp_path / "model.bin"
    source.write_bytes(b"m" * 6_000_000)
    staging = Staging(Project(full_disk.root / "project"), PATHS, trial_of(), local_logdir=False)
    with pytest.raises(OSError, match="No space left"):
        staging.attach({"model": str(source)})
    assert [file for file in full_disk.root.rglob("*") if file.is_file()] == []
