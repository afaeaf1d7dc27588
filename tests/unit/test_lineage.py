"""The files that a trial reads and the models that it exports: noted, kept and read back."""

from __future__ import annotations

import json
import math
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hopsml_flows import hdfs, model, numpy_helper, pandas_helper
from hopsml_flows.storage import Project
from hopsml_flows.tracking.summary import combination
from hopsml_flows.trials import (
    InputFile,
    Lineage,
    LineageLog,
    State,
    Trial,
    TrialResult,
    commit_text,
    committed_result,
    told_result,
)
from hopsml_flows.trials.lineage import MOST_EXPORTS, MOST_INPUTS
from tests.running import context_of, trial_on

LINEAGE = Lineage(
    (InputFile("Resources/train.csv", 7, 1.5), InputFile("s3://bucket/other.csv")),
    3,
    ("Models/net/1",),
)
RESULT = TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, 0.5, {"metric": 0.5}, "0001-x=1")


@pytest.fixture
def trial(project, tmp_path, monkeypatch):
    """The surroundings of a trial that runs here, on the project."""
    with trial_on(project, tmp_path, monkeypatch) as context:
        yield context


def inputs(trial):
    return [file.path for file in trial.lineage.lineage().inputs]


def written(project, path, text="a,b\n1,2\n"):
    project.make_directory(path.rpartition("/")[0])
    project.replace(path, text)
    return path


def test_what_each_helper_reads_is_an_input(trial, project):
    for name in ("loaded", "opened", "table.csv", "part-0", "part-1", "copied"):
        written(project, f"Resources/{name}")
    np.save(project.local_root / "Resources/array.npy", np.arange(3))
    hdfs.load("Resources/loaded")
    with hdfs.open_file("Resources/opened", flags="rt") as file:
        assert file.readline() == "a,b\n"
    assert isinstance(pandas_helper.read_csv("Resources/table.csv"), pd.DataFrame)
    hdfs.local_paths("Resources/part-*")
    hdfs.copy_to_local("Resources/copied")
    numpy_helper.load("Resources/array.npy")
    names = ("loaded", "opened", "table.csv", "part-0", "part-1", "copied", "array.npy")
    assert inputs(trial) == [f"Resources/{name}" for name in names]
    for file in trial.lineage.lineage().inputs:
        found = os.stat(project.local_root / file.path)
        assert (file.size, file.modified) == (found.st_size, pytest.approx(found.st_mtime))


def test_what_is_only_written_or_looked_at_is_no_input(trial, project):
    hdfs.dump("1", "Resources/dumped")
    with hdfs.open_file("Resources/written", flags="wt") as file:
        file.write("1")
    pandas_helper.write_csv("Resources/frame.csv", pd.DataFrame({"a": [1]}))
    assert hdfs.exists("Resources/dumped")
    hdfs.ls("Resources")
    hdfs.stat("Resources/dumped")
    with pytest.raises(FileNotFoundError):
        hdfs.load("Resources/nothing")
    assert not trial.lineage.lineage()


def test_a_directory_is_read_file_by_file(trial, project):
    written(project, "Parts/a")
    written(project, "Parts/deep/b")
    hdfs.copy_to_local("Parts")
    assert sorted(inputs(trial)) == ["Parts/a", "Parts/deep/b"]


def test_a_file_is_described_as_it_was_when_it_was_first_read(trial, project):
    written(project, "Resources/grows", "1")
    hdfs.load("Resources/grows")
    project.replace("Resources/grows", "1234")
    assert hdfs.load("Resources/grows") == b"1234"
    (file,) = trial.lineage.lineage().inputs
    assert file.size == 1


def test_a_thread_of_the_trial_reads_for_it(trial, project):
    written(project, "Resources/a")
    thread = threading.Thread(target=hdfs.load, args=["Resources/a"])
    thread.start()
    thread.join()
    assert inputs(trial) == ["Resources/a"]


def test_outside_of_a_trial_nothing_is_noted(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_PROJECT", project.url)
    written(project, "Resources/a")
    with context_of(project, tmp_path / "logdir") as context:  # made, but it does not run
        assert hdfs.load("Resources/a")
        assert not context.lineage.lineage()


def test_what_lies_in_another_project_has_its_full_path(trial, project, tmp_path):
    other = Project(tmp_path / "other")
    written(other, "Resources/a")
    hdfs.load(f"{other.url}/Resources/a")
    assert inputs(trial) == [f"{other.url}/Resources/a"]


def test_a_description_that_storage_refuses_leaves_the_path(trial, project, monkeypatch):
    def refuse(self, path):
        raise PermissionError("no")

    written(project, "Resources/a", "four")
    monkeypatch.setattr(Project, "info", refuse)
    assert hdfs.load("Resources/a") == b"four"
    assert trial.lineage.lineage().inputs == (InputFile("Resources/a", 4, None),)


def test_a_model_that_is_downloaded_is_one_input_and_an_exported_one_is_known(trial, project):
    Path("weights").touch()
    model.export("weights", "net", metrics={"loss": 1})
    model.download_model("net", local_path="copy")
    found = trial.lineage.lineage()
    assert found.exports == ("Models/net/1",)
    (file,) = found.inputs
    assert (file.path, file.size) == ("Models/net/1", 0)
    assert file.modified is not None


def test_an_export_into_another_project_has_its_full_path(trial, tmp_path):
    Path("weights").touch()
    model.export("weights", "net", project=str(tmp_path / "other"))
    assert trial.lineage.lineage().exports == (f"{tmp_path}/other/Models/net/1",)


def test_a_trial_lists_only_so_many_files_and_counts_the_others():
    log = LineageLog()
    for _ in range(2):
        log.add_inputs(InputFile(f"Resources/{number}") for number in range(MOST_INPUTS + 7))
    for number in range(MOST_EXPORTS + 7):
        log.add_export(f"Models/net/{number}")
    found = log.lineage()
    assert len(found.inputs) == MOST_INPUTS
    assert found.unlisted == 7
    assert len(found.exports) == MOST_EXPORTS
    assert log.knows("Resources/another")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("s3://key:secret@bucket/a.csv", "s3://key:***@bucket/a.csv"),
        ("https://host/a.csv?sig=secret&x=1", "https://host/a.csv?sig=***"),
        ("Resources/\udce9.csv", "Resources/\\udce9.csv"),
        ("Resources/" + "x" * 5000, "Resources/" + "x" * 1014),
    ],
)
def test_a_path_is_kept_without_secrets_and_as_text_of_bounded_length(path, kept):
    log = LineageLog()
    log.add_inputs([InputFile(path)])
    log.add_export(path)
    assert log.knows(path)
    found = log.lineage()
    assert ([file.path for file in found.inputs], list(found.exports)) == ([kept], [kept])


def test_a_commit_and_a_summary_keep_the_lineage():
    result = replace(RESULT, lineage=LINEAGE)
    trial = Trial(1, result.name, result.params, directory=result.directory)
    text = commit_text(result, files=[])
    assert committed_result("it", text, trial).lineage == LINEAGE
    entry = json.loads(json.dumps(combination(result), allow_nan=False))
    assert told_result(entry, 1).lineage == LINEAGE


def test_a_trial_that_read_nothing_keeps_nothing_about_it():
    assert "lineage" not in commit_text(RESULT, files=[])
    assert "lineage" not in combination(RESULT)
    assert told_result(combination(RESULT), 1).lineage == Lineage()


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("no object", Lineage()),
        ({"inputs": "a", "exports": 7, "unlisted": -1}, Lineage()),
        ({"inputs": [7, {"path": 7}, {}], "exports": [None]}, Lineage()),
        (
            {"inputs": [{"path": "a", "size": "big", "modified": math.nan}], "unlisted": True},
            Lineage((InputFile("a"),)),
        ),
        ({"inputs": [{"path": "a", "size": 2**70}]}, Lineage((InputFile("a"),))),
    ],
    ids=repr,
)
def test_of_a_damaged_lineage_what_can_be_read_is_kept(entry, found):
    assert Lineage.from_json(entry) == found
