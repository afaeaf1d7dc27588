"""Directories among the outputs of a trial."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from pathlib import Path

import pytest

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.execution import FileRules, Staging
from hopsml_flows.execution.files.attachments import Terms
from hopsml_flows.execution.files.kept_files import KEPT_VARIABLE
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.trials import State, Trial, TrialResult

PATHS = ExperimentPaths("e-1")
TRIAL = Trial(1, "0001-x=1", {"x": 1}, directory="0001-x=1")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The trial's working directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def terms(work):
    warnings = []
    terms = Terms(warn=warnings.append, working=work, params={"x": 1})
    return terms, warnings


@pytest.fixture
def staging(project, work):
    return Staging(project, PATHS, TRIAL, local_logdir=False)


def here(name):
    return f"Experiments/e-1/0001-x=1/{name}"


def saved_model(root):
    (root / "saved_model" / "variables").mkdir(parents=True)
    (root / "saved_model" / "assets" / "none").mkdir(parents=True)
    (root / "saved_model" / "saved_model.pb").write_bytes(b"graph")
    (root / "saved_model" / "variables" / "data").write_bytes(b"weights")
    return root / "saved_model"


def below(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.mark.parametrize("way", ["relative", "absolute", "with a slash", "in a list"])
def test_a_directory_is_copied_whole_and_named_by_its_path_in_the_project(
    project, staging, work, terms, way
):
    model = saved_model(work)
    value = {"absolute": str(model), "with a slash": "saved_model/"}.get(way, "saved_model")
    outputs = staging.attach({"model": [value] if way == "in a list" else value}, terms[0])
    assert outputs == {
        "model": [here("saved_model")] if way == "in a list" else here("saved_model")
    }
    copy = project.local_root / here("saved_model")
    assert below(copy) == below(model)
    assert (copy / "variables" / "data").read_bytes() == b"weights"
    assert terms[1] == []


def test_relative_paths_begin_where_the_function_is_or_where_it_began(
    project, staging, work, terms, monkeypatch
):
    saved_model(work)
    (work / "deeper").mkdir()
    (work / "deeper" / "plot.png").write_bytes(b"png")
    monkeypatch.chdir(work / "deeper")
    outputs = staging.attach({"model": "saved_model", "plot": "plot.png"}, terms[0])
    assert outputs == {"model": here("saved_model"), "plot": here("plot.png")}


def test_a_directory_under_two_keys_and_a_file_in_it_are_copied_once(staging, work, terms):
    saved_model(work)
    outputs = staging.attach(
        {"a": "saved_model", "b": "saved_model", "c": "saved_model/variables/data"}, terms[0]
    )
    assert outputs == {
        "a": here("saved_model"), "b": here("saved_model"),
        "c": here("saved_model/variables/data"),
    }  # fmt: skip
    assert [entry.name for entry in staging.path.iterdir()] == ["saved_model"]


def test_directories_of_one_name_and_of_the_projects_own_names_are_all_kept(
    project, staging, work, terms
):
    for name in ("a/model", "b/model", "files", "output.log"):
        (work / name).mkdir(parents=True)
        (work / name / "weights").write_text(name)
    names = ["a/model", "b/model", "files", "output.log"]
    outputs = staging.attach({"m": names}, terms[0])["m"]
    assert [project.read(f"{path}/weights").decode() for path in outputs] == names
    assert not (staging.path / "files").exists()
    assert not (staging.path / "output.log").exists()


def test_a_directory_in_the_trials_own_is_named_where_it_is(staging, terms):
    (staging.path / "checkpoints").mkdir()
    outputs = staging.attach(
        {"a": f"{staging.path}/checkpoints", "logdir": f"{staging.logdir}/"}, terms[0]
    )
    assert outputs == {"a": here("checkpoints"), "logdir": here("").rstrip("/")}
    assert [entry.name for entry in staging.path.iterdir()] == ["checkpoints"]


def test_links_become_what_they_lead_to_and_what_cannot_be_copied_is_named(
    project, staging, work, terms
):
    model = saved_model(work)
    (work / "shared").mkdir()
    (work / "shared" / "vocabulary").write_text("words")
    (model / "latest").symlink_to("variables")
    (model / "vocabulary").symlink_to(work / "shared" / "vocabulary")
    (model / "shared").symlink_to(work / "shared")
    (model / "variables" / "up").symlink_to("..")
    (model / "nowhere").symlink_to("nothing")
    (model / "loop").symlink_to("loop")
    os.mkfifo(model / "pipe")
    staging.attach({"model": "saved_model"}, terms[0])
    copy = project.local_root / here("saved_model")
    assert below(copy) == [
        "assets", "assets/none", "latest", "latest/data", "saved_model.pb", "shared",
        "shared/vocabulary", "variables", "variables/data", "vocabulary",
    ]  # fmt: skip
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    left_out = "".join(terms[1])
    for name in ("variables/up", "latest/up", "nowhere", "loop", "pipe"):
        assert f"saved_model/{name} is left out" in left_out
    assert len(terms[1]) == 5


def test_names_that_are_not_utf_8_get_names_that_storage_can_have(project, staging, work, terms):
    (work / "model").mkdir()
    for name in (b"a\xff", b"a\xfe", b"line\nend"):
        (work / "model" / os.fsdecode(name)).write_bytes(name)
    staging.attach({"model": "model"}, terms[0])
    copied = {path.read_bytes(): path.name for path in (staging.path / "model").iterdir()}
    assert copied == {b"a\xfe": "a_", b"a\xff": "2-a_", b"line\nend": "line_end"}


@pytest.mark.parametrize("remote", [True, False])
def test_a_directory_comes_to_staged_projects_with_its_empty_directories(
    project, memory_project, work, terms, remote
):
    where = memory_project if remote else project
    saved_model(work)
    (work / "empty" / "deep").mkdir(parents=True)
    staging = Staging(where, PATHS, TRIAL, local_logdir=True)
    outputs = staging.attach({"model": "saved_model", "nothing": "empty"}, terms[0])
    result = TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, 0.5, outputs)
    staging.commit(result)
    staging.close()
    assert where.read(f"{outputs['model']}/variables/data") == b"weights"
    if not remote:  # an object store has files alone
        assert where.info(f"{outputs['model']}/assets/none").is_directory
        assert where.info(f"{outputs['nothing']}/deep").is_directory
    files = json.loads(where.read(here(".outputs.json")))["_commit"]["files"]
    assert {"saved_model/saved_model.pb", "saved_model/variables/data"} < {f["name"] for f in files}
    assert terms[1] == ["output 'nothing': there are no files in the directory empty"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (FileRules(most_bytes=11), "12 bytes in 2 files"),
        (FileRules(most_files=1), "12 bytes in 2 files"),
    ],
)
def test_a_directory_beyond_the_limits_is_an_error_and_is_kept(
    project, staging, work, terms, rules, said, tmp_path, monkeypatch
):
    monkeypatch.setenv(KEPT_VARIABLE, str(tmp_path / "kept"))
    saved_model(work)
    terms[0].rules = rules
    with pytest.raises(InvalidOutputError) as caught:
        staging.attach({"model": "saved_model"}, terms[0])
    message = str(caught.value)
    kept = tmp_path / "kept" / "e-1" / "0001-x=1"
    assert f"output 'model' is the directory saved_model with {said}" in message
    assert "HOPSML_MOST_BYTES" in message
    assert f"it is kept in {kept} on {socket.gethostname()}" in message
    assert (kept / "variables" / "data").read_bytes() == b"weights"
    assert list(staging.path.iterdir()) == []


def test_all_directories_of_a_trial_share_the_limits(staging, work, terms):
    terms[0].rules = FileRules(most_files=3)
    for name in ("a", "b"):
        (work / name).mkdir()
        for file in ("1", "2"):
            (work / name / file).touch()
    with pytest.raises(InvalidOutputError, match=r"0 bytes in 2 files, besides 0 bytes in 2 files"):
        staging.attach({"a": "a", "b": "b"}, terms[0])


def test_what_is_returned_beside_a_directory_beyond_the_limits_is_attached(
    project, staging, work, terms
):
    terms[0].rules = FileRules(most_files=1)
    saved_model(work)
    (work / "plot.png").write_bytes(b"png")
    with pytest.raises(InvalidOutputError, match="output 'model'"):
        staging.attach({"model": "saved_model", "plot": "plot.png"}, terms[0])
    assert project.read(here("plot.png")) == b"png"


def begins_later(terms):
    """As if the trial began when what is there had been written long before."""
    terms[0].began = time.time() + 3600


def test_a_directory_of_the_users_that_the_trial_wrote_to_is_attached(
    project, staging, work, terms, tmp_path
):
    model = saved_model(tmp_path)
    begins_later(terms)
    (work / "model").symlink_to(model)
    terms[0].params = {"to": str(model)}
    (model / "variables" / "data").write_bytes(b"new weights")
    os.utime(model / "variables" / "data", (terms[0].began + 1,) * 2)
    outputs = staging.attach({"bare": "model", "told": str(model)}, terms[0])
    assert outputs == {"bare": here("model"), "told": here("model")}
    assert project.read(here("model/variables/data")) == b"new weights"
    assert terms[1] == []


def test_a_bare_name_that_is_one_of_the_users_directories_is_not_taken_for_it(
    project, staging, work, terms, tmp_path
):
    data = saved_model(tmp_path)
    begins_later(terms)
    (work / "train").symlink_to(data)
    told = {"split": "train", "absolute": str(data), "data": "./train"}
    outputs = staging.attach(told, terms[0])
    assert outputs == {"split": "train", "data": here("train"), "absolute": str(data)}
    absolute, warning = sorted(terms[1])
    assert "did not write to: it stays where it is" in absolute
    assert "'split' is train, which is a directory that the trial did not write to" in warning
    assert "return './train' to attach it" in warning


def test_a_directory_of_the_users_beyond_the_limits_stays_where_it_is(staging, terms, tmp_path):
    data = saved_model(tmp_path)
    terms[0].rules = FileRules(most_files=1)
    with pytest.raises(InvalidOutputError, match=f"it stays where it is, in {data}"):
        staging.attach({"data": str(data)}, terms[0])
    assert (data / "saved_model.pb").exists()


def test_a_hyperparameter_that_is_said_back_is_neither_attached_nor_missed(
    staging, terms, tmp_path
):
    data = saved_model(tmp_path)
    begins_later(terms)
    told = {"data": str(data), "plan": "plans/a.yaml", "place": Path(data)}
    terms[0].params = told
    outputs = {"data": str(data), "plan": "plans/a.yaml"}
    assert staging.attach(outputs, terms[0]) == outputs
    assert terms[1] == []


def test_the_working_directory_and_what_contains_the_trials_files_is_not_attached(
    project, staging, work, terms
):
    outputs = {
        "cwd": str(work), "above": str(work.parent), "project": str(project.local_root),
        "temporary": tempfile.gettempdir(), "punctuation": ["/", ".", "..", "./"],
    }  # fmt: skip
    assert staging.attach(outputs, terms[0]) == outputs
    assert len(terms[1]) == 4
    assert all("is not kept" in warning and "keep_files=True" in warning for warning in terms[1])


def test_what_looks_like_a_path_and_is_not_there_is_a_warning_and_stays(staging, work, terms):
    (work / "plots").mkdir()
    outputs = {
        "plot": "plots/typo.png",
        "model": str(work / "model.keras"),
        "url": "s3://b/m.keras",
    }
    assert staging.attach(outputs, terms[0]) == outputs
    assert terms[1] == [
        "output 'plot' is plots/typo.png, and there is no such file or directory",
        f"output 'model' is {work}/model.keras, and there is no such file or directory",
    ]


def test_many_missing_files_are_a_few_warnings(staging, terms):
    staging.attach({"files": [f"{number}.png" for number in range(500)]}, terms[0])
    assert len(terms[1]) == 11
    assert terms[1][-1].startswith("490 more")


def test_a_pipe_is_not_opened(staging, work, terms):
    os.mkfifo(work / "pipe")
    assert staging.attach({"pipe": "pipe"}, terms[0]) == {"pipe": "pipe"}
    assert terms[1] == ["output 'pipe': pipe is neither a file nor a directory"]


def test_a_copy_that_fails_leaves_nothing_of_the_directory(staging, work, terms, monkeypatch):
    saved_model(work)
    limit = 6  # bytes a file may have, as on a disk that is full

    def full(source, target):
        content = Path(source).read_bytes()
        Path(target).write_bytes(content[:limit])
        if len(content) > limit:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("hopsml_flows.execution.files.copies.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space"):
        staging.attach({"model": "saved_model"}, terms[0])
    assert list(staging.path.iterdir()) == []
