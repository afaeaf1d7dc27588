"""Versions of models on every storage: written whole, read back, verified, removed."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace

import pytest

from hopsml_flows import model
from hopsml_flows.errors import (
    DamagedFileError,
    HopsmlWarning,
    InvalidArgumentError,
    ModelExistsError,
    ModelNotFound,
)
from hopsml_flows.models import Metric
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.local_copy import fetch_version
from hopsml_flows.models.model_files import local_files
from hopsml_flows.models.repository import (
    best_version,
    find_version,
    model_names,
    read_record,
    remove_version,
    versions_of,
)
from hopsml_flows.storage import ModelFiles, ModelPaths, Project, this_process
from tests.waiting import wait_until

from .test_projects import STORAGES


@pytest.fixture(params=STORAGES)
def project(request):
    return STORAGES[request.param](request)


@pytest.fixture
def local(tmp_path):
    """A project that costs no server."""
    return Project(tmp_path / "root")


@pytest.fixture
def saved(tmp_path):
    """A directory such as TensorFlow saves."""
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "model.pb").write_bytes(b"graph")
    (tmp_path / "saved" / "variables" / "index").write_bytes(b"weights" * 1000)
    (tmp_path / "saved" / "empty").touch()
    return tmp_path / "saved"


def export(project, saved, name="digits", **more):
    details = Details(metrics=more.pop("metrics", {}))
    return export_version(project, name, local_files(saved), details, **more)


def content(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_version_is_written_found_copied_and_removed(project, saved, tmp_path):
    first = export(project, saved, metrics={"loss": 0.5})
    second = export(project, saved / "model.pb", metrics={"loss": 0.25})
    assert (first.version, second.version) == (1, 2)
    assert find_version(project, "digits", 1) == first
    assert find_version(project, "digits") == second
    assert best_version(project, "digits", "loss", Metric.MAX) == first
    assert [file.name for file in first.files] == ["empty", "model.pb", "variables/index"]
    assert project.read(ModelPaths("digits", 1).file("variables/index")) == b"weights" * 1000
    # What is left of the export: no claim, no temporary file.
    assert project.listdir("Models/digits/2") == [".model.json", "model.pb"]

    fetch_version(project, first, tmp_path / "copy")
    assert content(tmp_path / "copy") == content(saved)

    remove_version(project, "digits", 1)
    assert versions_of(project, "digits").records == (second,)
    remove_version(project, "digits", 2)
    assert versions_of(project, "digits").records == ()
    with pytest.raises(ModelNotFound, match="has no version of a model"):
        find_version(project, "digits")


def test_a_version_is_replaced_only_if_that_is_asked_for(project, saved):
    export(project, saved, version=3)
    with pytest.raises(ModelExistsError, match="overwrite=True"):
        export(project, saved, version=3)
    replaced = export(project, saved / "model.pb", version=3, overwrite=True)
    left = [file.name for file in project.walk_files("Models/digits/3")]
    assert sorted(left) == ["Models/digits/3/.model.json", "Models/digits/3/model.pb"]
    assert find_version(project, "digits", 3) == replaced
    assert export(project, saved).version == 4


@pytest.mark.parametrize("way", ["itself", "a file of it", "a link to it", "a link in it"])
def test_a_version_is_not_replaced_by_its_own_files(local, saved, tmp_path, way):
    export(local, saved, version=1)
    own = tmp_path / "root/Models/digits/1"
    (own / "inner").symlink_to(saved)
    (tmp_path / "link").symlink_to(own)
    path = {
        "itself": own,
        "a file of it": own / "model.pb",
        "a link to it": tmp_path / "link",
        "a link in it": own / "inner",
    }[way]
    with pytest.raises(InvalidArgumentError, match=r"model_path: .* overwrite=True would remove"):
        export(local, path, version=1, overwrite=True)
    with pytest.raises(InvalidArgumentError, match="overwrite=True would remove"):
        model.export(path, "digits", 1, overwrite=True, project=local)
    (own / "inner").unlink()
    assert content(own).keys() == {".model.json", "empty", "model.pb", "variables/index"}
    assert find_version(local, "digits", 1).version == 1
    # Another version may be made of it.
    assert export(local, own, version=2, overwrite=True).version == 2


def test_an_export_that_fails_leaves_nothing(project, saved, tmp_path):
    files = local_files(saved)
    (saved / "variables" / "index").unlink()
    with pytest.raises(FileNotFoundError):
        export_version(project, "digits", files, Details())
    assert list(project.walk_files("Models")) == []


class Interrupting(Project):
    """A project whose first upload is interrupted by Ctrl-C, and ends when it may."""

    def upload(self, *arguments, **more):
        with self.lock:
            is_first = not self.begun
            self.begun.append(arguments)
        if is_first:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        self.go_on.wait(60)
        super().upload(*arguments, **more)
        self.ended.append(arguments)


def test_an_interrupted_export_stops_and_its_number_stays_taken(saved, tmp_path):
    for number in range(20):
        (saved / f"{number}").write_bytes(b"weights")
    project = Interrupting(tmp_path / "root")
    project.lock, project.go_on = threading.Lock(), threading.Event()
    project.begun, project.ended = [], []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            export(project, saved)
    finally:
        signal.signal(signal.SIGINT, before)
    assert project.listdir("Models/digits/1") == [ModelFiles.CLAIM]
    # What had begun may end at any time, and is no part of the next version.
    project.go_on.set()
    wait_until(lambda: len(project.ended) == len(project.begun), 60, "the uploads")
    assert len(project.begun) <= 4
    assert read_record(project, "digits", 1) is None
    again = export(Project(tmp_path / "root"), saved / "model.pb")
    assert again.version == 2
    assert project.listdir("Models/digits/2") == [".model.json", "model.pb"]


def test_a_version_whose_export_was_killed_is_none(project, saved):
    """What a killed process leaves: its claim, and some of its files."""
    paths = ModelPaths("digits", 1)
    dead = {**this_process(), "created": 1.0}
    project.make_directory(paths.root)
    project.create(paths.claim, json.dumps({"token": "t", "process": dead}))
    project.upload(saved / "model.pb", paths.file("model.pb"))

    assert read_record(project, "digits", 1) is None
    assert versions_of(project, "digits").records == ()
    with pytest.raises(ModelNotFound):
        find_version(project, "digits")
    assert export(project, saved).version == 2
    with pytest.raises(ModelExistsError, match="`hopsml models rm digits/1` removes"):
        export(project, saved, version=1)
    remove_version(project, "digits", 1)
    assert export(project, saved, version=1).version == 1


def test_a_file_that_was_changed_on_storage_is_not_copied(project, saved, tmp_path):
    record = export(project, saved)
    project.replace(ModelPaths("digits", 1).file("model.pb"), b"gRaph")
    with pytest.raises(DamagedFileError, match=r"model\.pb is not what was exported"):
        fetch_version(project, record, tmp_path / "copy")
    project.remove(ModelPaths("digits", 1).file("model.pb"))
    with pytest.raises(DamagedFileError, match=r"model\.pb is missing"):
        fetch_version(project, record, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_threads_that_export_at_once_get_a_version_each(project, saved):
    versions = []
    threads = [
        threading.Thread(target=lambda: versions.append(export(project, saved).version))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(versions)) == 4
    assert sorted(versions) == [record.version for record in versions_of(project, "digits").records]


# The rest does not depend on the storage.


def test_a_version_that_is_being_written_is_neither_replaced_nor_removed(local, saved):
    paths = ModelPaths("digits", 1)
    local.make_directory(paths.root)
    local.create(paths.claim, json.dumps({"token": "t", "process": this_process()}))
    for overwrite in (False, True):
        with pytest.raises(ModelExistsError, match="being written by process"):
            export(local, saved, version=1, overwrite=overwrite)
    with pytest.raises(InvalidArgumentError, match="being written by process"):
        remove_version(local, "digits", 1)


def test_a_model_without_versions_is_none_any_more(local, saved):
    export(local, saved)
    export(local, saved, name="iris")
    assert model_names(local) == ["digits", "iris"]
    remove_version(local, "digits", 1)
    assert model_names(local) == ["iris"]


def test_a_directory_of_models_that_was_made_by_hand_keeps_its_number(local, saved):
    local.make_directory("Models/digits/7")
    local.replace("Models/digits/7/model.pb", b"by hand")
    local.make_directory("Models/digits/new")
    local.replace("Models/README.md", b"words")
    assert export(local, saved).version == 8
    with pytest.raises(ModelExistsError, match="exists"):
        export(local, saved, version=7)
    assert local.read("Models/digits/7/model.pb") == b"by hand"
    assert [record.version for record in versions_of(local, "digits").records] == [8]
    assert versions_of(local, "README.md").records == ()


def test_a_damaged_record_does_not_hide_the_others(local, saved):
    export(local, saved, metrics={"loss": 1})
    export(local, saved, metrics={"loss": 2})
    local.replace(ModelPaths("digits", 1).record, b"{")
    found = versions_of(local, "digits")
    assert [record.version for record in found.records] == [2]
    assert "digits/1" in str(found.damaged[0])
    assert best_version(local, "digits", "loss", Metric.MIN).version == 2
    with pytest.raises(DamagedFileError):
        find_version(local, "digits", 1)


def test_what_is_missing_is_told(local, saved):
    export(local, saved, metrics={"loss": 1})
    with pytest.raises(ModelNotFound, match="has only 1"):
        find_version(local, "digits", 2)
    with pytest.raises(ModelNotFound, match="they have loss"):
        best_version(local, "digits", "accuracy", Metric.MAX)
    with pytest.raises(ModelNotFound, match="has no version"):
        remove_version(local, "other", 1)


def test_an_earlier_copy_is_kept_and_another_directory_is_not_replaced(local, saved, tmp_path):
    record = export(local, saved)
    copy = tmp_path / "deep" / "copy"
    fetch_version(local, record, copy)
    before = (copy / "model.pb").stat().st_ino
    fetch_version(local, record, copy)
    assert (copy / "model.pb").stat().st_ino == before
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(ModelExistsError, match="overwrite=True"):
        fetch_version(local, record, copy)
    assert (copy / "notes.txt").exists()
    fetch_version(local, record, copy, overwrite=True)
    assert content(copy) == content(saved)


def test_no_directory_is_replaced_that_holds_more_than_a_model(local, saved, tmp_path, monkeypatch):
    record = export(local, saved)
    for name in ("work/inner", "home/me"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "work/inner")
    monkeypatch.setenv("HOME", str(tmp_path / "home/me"))
    (tmp_path / "link").symlink_to(tmp_path / "work")
    (tmp_path / "root/Experiments").mkdir()
    before = content(tmp_path)
    for name, told in (
        ("work/inner", "holds the working directory"),
        ("work", "holds the working directory"),
        ("link", "holds the working directory"),
        ("home/me", "holds the home directory"),
        ("home", "holds the home directory"),
        ("root", "holds the project"),
        ("root/Experiments", "holds the project's experiments"),
        ("root/Models/digits", "is of the project's models"),
        ("root/Models/digits/1", "is of the project's models"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"local_path: .* {told}"):
            fetch_version(local, record, tmp_path / name, overwrite=True)
    assert content(tmp_path) == before
    # What is in such a directory may be replaced.
    (tmp_path / "work/inner/model").mkdir()
    fetch_version(local, record, tmp_path / "work/inner/model", overwrite=True)
    assert content(tmp_path / "work/inner/model") == content(saved)


class Accompanied(Project):
    """A project during whose downloads something else happens."""

    def download(self, *arguments, **more):
        super().download(*arguments, **more)
        self.meanwhile()


def test_a_directory_that_appears_during_the_copying_is_not_replaced(saved, tmp_path):
    project = Accompanied(tmp_path / "root")
    record = export(project, saved)
    copy = tmp_path / "copy"

    def appear():
        copy.mkdir(exist_ok=True)
        (copy / "notes.txt").write_text("mine")

    project.meanwhile = appear
    with pytest.raises(ModelExistsError, match="overwrite=True"):
        fetch_version(project, record, copy)
    assert content(copy) == {"notes.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_directory_that_cannot_be_replaced_after_all_is_put_back(local, saved, tmp_path):
    record = export(local, saved)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "notes.txt").write_text("mine")
    nothing = replace(record, files=())  # so there is nothing that could take its place
    with pytest.raises(FileNotFoundError):
        fetch_version(local, nothing, copy, overwrite=True)
    assert content(copy) == {"notes.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_links_are_followed_and_what_is_no_file_is_told(local, saved, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"far")
    (saved / "link").symlink_to(tmp_path / "elsewhere")
    (saved / "broken").symlink_to(tmp_path / "nothing")
    (saved / "circle").symlink_to(saved)
    (saved / "50%#?").write_bytes(b"odd")
    with pytest.warns(HopsmlWarning, match="broken .*circle"):
        record = export(local, saved)
    assert local.read("Models/digits/1/link") == b"far"
    assert {"link", "50___"} <= {file.name for file in record.files}


def test_a_record_of_another_version_is_not_exported(local, saved, tmp_path):
    export(local, saved)
    again = export_version(
        local, "copied", local_files(tmp_path / "root/Models/digits/1"), Details()
    )
    assert [file.name for file in again.files] == ["empty", "model.pb", "variables/index"]


def test_there_is_nothing_to_export_of_an_empty_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no files"):
        local_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="model_path"):
        local_files(tmp_path / "nothing")
