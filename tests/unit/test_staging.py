from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from hopsml_flows.execution import Staging
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.trials import Failure, State, Trial, TrialResult

PATHS = ExperimentPaths("e-1")


def trial_of(directory="0001-x=1", attempt=1):
    return Trial(1, "0001-x=1", {"x": 1}, attempt=attempt, directory=directory)


def finished(outputs=None, metric=0.5):
    return TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, metric, outputs or {"metric": 0.5})


def failed():
    return TrialResult(1, "0001-x=1", {"x": 1}, State.FAILED, failure=Failure("E", "no"))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The user's working directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def staging(project, work):
    return Staging(project, PATHS, trial_of(), local_logdir=False)


def here(name):
    return f"Experiments/e-1/0001-x=1/{name}"


def test_on_a_local_project_the_trials_own_directory_is_written(project, staging):
    assert staging.path == project.local_root / "Experiments/e-1/0001-x=1"
    assert staging.path.is_dir()
    staging.close()
    assert staging.path.is_dir()


def test_with_a_local_logdir_everything_comes_at_the_end(project, work):
    staging = Staging(project, PATHS, trial_of(), local_logdir=True)
    staging.write("output.log", "hello")
    (staging.path / "sub").mkdir()
    (staging.path / "sub" / "events").write_text("e")
    assert not project.exists("Experiments")
    staging.commit(finished())
    assert project.read(here("output.log")) == b"hello"
    assert project.read(here("sub/events")) == b"e"
    staging.close()
    assert not staging.path.exists()
    assert project.exists(here(".outputs.json"))


def test_on_remote_storage_everything_comes_at_the_end(memory_project, work):
    staging = Staging(memory_project, PATHS, trial_of(), local_logdir=False)
    staging.write(".hparams.json", "{}")
    staging.write("output.log", "hello")
    staging.commit(finished())
    staging.close()
    assert memory_project.listdir(here("").rstrip("/")) == [
        ".hparams.json",
        ".metric",
        ".outputs.json",
        "output.log",
    ]
    assert memory_project.read(here("output.log")) == b"hello"


def test_a_failure_keeps_its_files_and_is_not_marked_done(memory_project, work):
    staging = Staging(memory_project, PATHS, trial_of(), local_logdir=False)
    staging.write("output.log", "Traceback")
    staging.commit(failed())
    staging.close()
    assert memory_project.read(here("output.log")) == b"Traceback"
    assert not memory_project.exists(here(".outputs.json"))
    assert not memory_project.exists(here(".metric"))


def test_the_commit_holds_outputs_log_attempt_and_every_file_with_size_and_digest(project, staging):
    staging.write("output.log", "hello")
    (staging.path / "sub").mkdir()
    (staging.path / "sub" / "model.bin").write_bytes(b"\x00" * 3_000_000)
    staging.commit(finished({"metric": 0.5, "history": [1, 2]}))
    committed = json.loads(project.read(here(".outputs.json")))
    assert committed["metric"] == 0.5
    assert committed["history"] == [1, 2]
    assert committed["log"] == here("output.log")
    commit = committed["_commit"]
    assert commit["attempt"] == 1
    assert {entry["name"]: entry["size"] for entry in commit["files"]} == {
        ".metric": 3,
        "output.log": 5,
        "sub/model.bin": 3_000_000,
    }
    digests = {entry["name"]: entry["sha256"] for entry in commit["files"]}
    assert digests["output.log"] == hashlib.sha256(b"hello").hexdigest()
    assert digests["sub/model.bin"] == hashlib.sha256(b"\x00" * 3_000_000).hexdigest()
    assert project.read(here(".metric")) == b"0.5"


def test_a_trial_without_a_metric_has_no_metric_file(project, staging):
    staging.commit(finished({}, metric=None))
    assert not project.exists(here(".metric"))
    assert project.exists(here(".outputs.json"))


def test_a_file_that_an_output_names_is_copied_and_never_moved(project, staging, work):
    (work / "plot.png").write_bytes(b"png")
    outputs = staging.attach({"plot": "plot.png", "metric": 1})
    assert outputs == {"plot": here("plot.png"), "metric": 1}
    assert project.read(here("plot.png")) == b"png"
    assert (work / "plot.png").read_bytes() == b"png"


def test_absolute_paths_and_files_within_lists_and_dicts_are_copied(project, staging, work):
    (work / "a.png").write_bytes(b"a")
    (work / "b.png").write_bytes(b"b")
    outputs = staging.attach({"x": [str(work / "a.png"), 3], "y": {"deep": "b.png"}})
    assert outputs == {"x": [here("a.png"), 3], "y": {"deep": here("b.png")}}
    assert project.read(here("b.png")) == b"b"


@pytest.mark.parametrize(
    "text",
    ["sgd", "", "a/b/c", "/no/such/file", "s3://bucket/x", "nul\0byte", "x" * 10_000, ".", "..",
     "~", "a\nb", "/", "loop"],
)  # fmt: skip
def test_any_other_string_stays_what_it_is(staging, work, text):
    (work / "loop").symlink_to("loop")
    assert staging.attach({"text": text}) == {"text": text}


def test_a_file_already_in_the_trials_directory_is_named_where_it_is(staging):
    (staging.path / "sub").mkdir()
    (staging.path / "sub" / "model.bin").write_bytes(b"m")
    outputs = staging.attach({"model": str(staging.path / "sub" / "model.bin")})
    assert outputs == {"model": here("sub/model.bin")}
    assert [entry.name for entry in staging.path.iterdir()] == ["sub"]


def test_files_of_one_name_and_different_content_are_all_kept(project, staging, work):
    names = []
    for directory in ("a", "b", "c"):
        (work / directory).mkdir()
        (work / directory / "plot.png").write_text(directory)
        names.append(f"{directory}/plot.png")
    outputs = staging.attach({"plots": names})
    assert len(set(outputs["plots"])) == 3
    assert [project.read(path) for path in outputs["plots"]] == [b"a", b"b", b"c"]


def test_one_file_under_two_keys_is_copied_once(staging, work):
    (work / "plot.png").write_bytes(b"png")
    outputs = staging.attach({"a": "plot.png", "b": "plot.png"})
    assert set(outputs.values()) == {here("plot.png")}


@pytest.mark.parametrize("name", ["output.log", ".outputs.json", ".hparams.json", ".metric"])
def test_a_users_file_never_replaces_one_of_the_projects_own(project, staging, work, name):
    staging.write(name, "own")
    (work / name).write_text("users")
    outputs = staging.attach({"file": name})
    assert (staging.path / name).read_text() == "own"
    assert project.read(outputs["file"]) == b"users"


@pytest.mark.parametrize("key", ["a/b", "../up", "/root", "..", "", "a\nb", "k" * 400])
def test_no_key_leads_out_of_the_trials_directory(project, staging, work, key):
    for directory in ("one", "two"):
        (work / directory).mkdir()
        (work / directory / "plot.png").write_text(directory)
    outputs = staging.attach({"x": "one/plot.png", key: "two/plot.png"})
    copied = Path(project.local_root / outputs[key])
    assert copied.read_text() == "two"
    assert copied.parent == staging.path


def test_a_directory_in_the_way_of_a_file_is_kept(project, staging, work):
    (staging.path / "plot").mkdir()
    (work / "plot").write_text("file")
    outputs = staging.attach({"x": "plot"})
    assert project.read(outputs["x"]) == b"file"
    assert (staging.path / "plot").is_dir()


def test_another_attempt_starts_clean_and_keeps_the_log(project, staging):
    staging.write("output.log", "first attempt\n")
    staging.write(".hparams.json", "{}")
    (staging.path / "train").mkdir()
    (staging.path / "train" / "events").write_text("old")
    again = Staging(project, PATHS, trial_of(attempt=2), local_logdir=False)
    assert [entry.name for entry in again.path.iterdir()] == ["output.log"]


def test_what_an_attempt_linked_to_is_not_removed_by_the_next(project, staging, work):
    (work / "data").mkdir()
    (work / "data" / "kept").write_text("kept")
    (staging.path / "link").symlink_to(work / "data")
    Staging(project, PATHS, trial_of(attempt=2), local_logdir=False)
    assert (work / "data" / "kept").read_text() == "kept"


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_trial_in_the_experiments_directory_leaves_the_experiments_files_alone(
    project, work, attempt
):
    project.make_directory(PATHS.root)
    own = (PATHS.record, PATHS.summary, PATHS.environment, PATHS.program(".py"))
    for path in own:
        project.replace(path, "kept")
    staging = Staging(project, PATHS, trial_of("", attempt), local_logdir=False)
    staging.write("output.log", "hello")
    staging.commit(finished())
    assert all(project.read(path) == b"kept" for path in own)
    committed = json.loads(project.read(f"{PATHS.root}/.outputs.json"))
    assert [entry["name"] for entry in committed["_commit"]["files"]] == [".metric", "output.log"]
