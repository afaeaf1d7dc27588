"""All that is kept of a program and its environment, as a process of its own would keep it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from hopsml_flows.driver.version_keeping import VersionKeeping
from hopsml_flows.service.comparison import environment_facts
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking import ExperimentRecord, RecordFile
from hopsml_flows.tracking.versions import captured
from tests.nvml.fixtures import gpu
from tests.waiting import wait_until

PATHS = ExperimentPaths("digits-1")

ASK = """
import base64, json, pathlib
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.tracking.versions.captured import capture
made = capture(ExperimentPaths("digits-1"), None)
def told(content):
    content = content.encode() if isinstance(content, str) else content
    return base64.b64encode(content).decode()
files = {path.rpartition("/")[2]: told(content) for path, content in made.files.items()}
print(json.dumps([files, made.program, made.environment, made.facts]))
"""


def captured_by(directory, script, **environment):
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, cwd=directory, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files, *rest = json.loads(done.stdout)
    return {name: base64.b64decode(content) for name, content in files.items()}, *rest


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_a_program_in_a_repository_is_kept_with_its_modules_and_its_difference(tmp_path):
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    (tmp_path / ".env").write_text("API_TOKEN=hunter2\n")
    script = tmp_path / "main.py"
    script.write_text("import helper\n")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "--initial-branch", "trunk"],
        ["add", "-f", "."],
        ["commit", "-m", "first"],
        ["remote", "add", "origin", "https://tok-en@host/x.git"],
    ):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True, capture_output=True)
    script.write_text("import helper\n" + ASK)
    (tmp_path / ".env").write_text("API_TOKEN=hunter3\n")
    files, program, environment, facts = captured_by(tmp_path, script)
    assert sorted(files) == [
        "environment.txt", "program.diff", "program.py", "program.zip", "pylock.toml",
    ]  # fmt: skip
    assert files["program.py"] == script.read_bytes()
    assert (program, environment) == (PATHS.program(".py"), PATHS.environment)
    with zipfile.ZipFile(io.BytesIO(files["program.zip"])) as archive:
        assert archive.namelist() == ["helper.py", "main.py"]
    assert b"+made = capture(" in files["program.diff"]
    assert facts["git"]["remote"] == "https://host/x.git"
    assert facts["git"]["left_out"] == [".env"]
    assert facts["git"]["dirty"] is True
    assert facts["git"]["difference"] == PATHS.difference
    assert facts["modules"]["script"] == "main.py"
    assert facts["lock"] == PATHS.lock
    assert "missing" not in facts
    for content in files.values():
        assert b"hunter" not in content
        assert b"tok-en" not in content


def test_a_script_alone_is_kept_as_it_is(tmp_path):
    (tmp_path / "main.py").write_text(ASK)
    ceiling = str(tmp_path.parent)
    files, _, _, facts = captured_by(
        tmp_path, tmp_path / "main.py", GIT_CEILING_DIRECTORIES=ceiling
    )
    assert sorted(files) == ["environment.txt", "program.py", "pylock.toml"]
    assert set(facts) == {"python", "implementation", "platform", "lock", "script"}
    assert facts["script"] == "main.py"


def test_gpus_and_their_driver_are_in_every_description(fake_nvml):
    fake_nvml.answer(gpu("GPU-1111"), gpu("GPU-2222"), gpu("GPU-3333", name="NVIDIA Other"))
    files, _, _, facts = json.loads(fake_nvml.run(ASK))
    text, lock = (
        base64.b64decode(files[name]).decode() for name in ("environment.txt", "pylock.toml")
    )
    assert facts["gpus"] == ["NVIDIA Test 8GB", "NVIDIA Test 8GB", "NVIDIA Other"]
    assert facts["driver"] == "570.00.1"
    assert tomllib.loads(lock)["tool"]["hopsml-flows"]["driver"] == "570.00.1"
    told = environment_facts(text)
    assert told["GPU"] == "2 NVIDIA Test 8GB, 1 NVIDIA Other"
    assert told["GPU driver"] == "570.00.1"


def test_a_part_that_fails_costs_that_part(monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("no list of packages at https://me:hunter2@host")

    monkeypatch.setattr(captured, "_known", {})
    monkeypatch.setattr(captured, "installed_packages", broken)
    train = tmp_path / "train.py"
    train.write_text("x = 1\n")
    made = captured.capture(PATHS, train)
    assert made.files[made.program] == b"x = 1\n"
    assert made.environment is None
    assert "RuntimeError" in made.facts["missing"]["environment"]
    assert "hunter2" not in made.facts["missing"]["environment"]


def test_the_environment_is_described_once_until_a_package_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(captured, "_known", {})
    monkeypatch.syspath_prepend(str(tmp_path))
    first = captured._environment()
    assert captured._environment() is first
    directory = tmp_path / "brand_new-1.0.dist-info"
    directory.mkdir()
    (directory / "METADATA").write_text("Name: brand-new\nVersion: 1.0\n")
    (directory / "WHEEL").write_text("Tag: py3-none-any\n")
    assert "brand-new==1.0" in captured._environment().text
    assert "brand_new-1.0-py3-none-any.whl" in captured._environment().lock


@pytest.fixture
def project(tmp_path):
    return Project(str(tmp_path / "project"))


@pytest.fixture
def record(project):
    project.make_directory(PATHS.root)
    return RecordFile(
        project,
        PATHS,
        ExperimentRecord(
            id="digits-1", name="digits", project="p", function="launch",
            experiment_type="EXPERIMENT", train="m:f",
        ),
    )  # fmt: skip


@pytest.fixture
def train(tmp_path):
    file = tmp_path / "train.py"
    file.write_text("x = 1\n")
    return file


def stored(project):
    return json.loads(project.read(PATHS.record))


def test_the_record_names_what_is_kept_once_it_is_on_storage(project, record, train):
    with VersionKeeping(project, PATHS, train) as versions:
        assert not versions.is_due
        record.write()
        versions.write_into(record)
        wait_until(lambda: versions.is_due, 60, "the files to be written")
        assert project.read(PATHS.program(".py")) == b"x = 1\n"
        assert stored(project)["program"] is None
        versions.record()
        assert not versions.is_due
    told = stored(project)
    assert (told["program"], told["environment"]) == (PATHS.program(".py"), PATHS.environment)
    assert told["versions"]["lock"] == PATHS.lock
    assert ExperimentRecord.from_json(project.read(PATHS.record)).versions == told["versions"]


def test_an_experiment_that_ends_at_once_keeps_all_of_it(project, record, train):
    with VersionKeeping(project, PATHS, train) as versions:
        record.write()
        versions.write_into(record)
        versions.settle(60)
        record.save()
    assert stored(project)["versions"]["lock"] == PATHS.lock


def test_the_program_is_kept_as_it_was_when_the_experiment_began(project, record, train):
    with VersionKeeping(project, PATHS, train) as versions:
        assert versions._captured.wait(60)
        train.write_text("x = 2\n")
        record.write()
        versions.write_into(record)
        versions.settle(60)
    assert project.read(PATHS.program(".py")) == b"x = 1\n"


def test_nothing_is_written_if_the_experiment_does_not_begin(project, train):
    with VersionKeeping(project, PATHS, train) as versions:
        pass
    versions._thread.join(60)
    assert not versions._thread.is_alive()
    assert not project.exists(PATHS.root)


def test_storage_that_refuses_them_does_not_end_the_experiment(project, record, train, caplog):
    record.write()
    (project.local_root / PATHS.environment).mkdir()
    with VersionKeeping(project, PATHS, train) as versions:
        versions.write_into(record)
        versions.settle(60)
        record.save()
    assert stored(project)["program"] is None
    assert "program and environment of digits-1 are not kept whole" in caplog.text
