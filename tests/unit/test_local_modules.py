"""The user's modules that are kept of a program, on programs that are run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile

import pytest

from hopsml_flows.tracking.versions import local_modules as module
from hopsml_flows.tracking.versions.local_modules import local_modules

ASK = """
import json, pathlib
from hopsml_flows.tracking.versions.local_modules import local_modules
found = local_modules(pathlib.Path(__file__), None)
print(json.dumps([sorted(found.files), found.left_out, found.is_cut]))
"""


def write(root, **files):
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found_by(script, *arguments):
    """What a process that runs a script takes for its modules."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True, text=True, cwd=script.parent, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def names(script=None, train=None, modules=()):
    return sorted(local_modules(script, train, dict(modules)).files)


def test_a_scripts_modules_and_packages_are_kept_whole(tmp_path):
    write(
        tmp_path,
        main="import helper\nimport nets.deep\nimport numpy\n" + ASK,
        helper="",
        nets__init="",
        nets__deep="",
        nets__inner__wide="",
        unrelated="",
    )
    (tmp_path / "nets" / "__init__.py").write_text("")
    files, left_out, is_cut = found_by(tmp_path / "main.py")
    assert files == [
        "helper.py", "main.py", "nets/__init__.py", "nets/deep.py", "nets/init.py",
        "nets/inner/wide.py",
    ]  # fmt: skip
    assert (left_out, is_cut) == ([], False)


def test_what_a_function_imports_later_is_kept_too(tmp_path):
    write(
        tmp_path,
        main="def train():\n    from later import net\n",
        later="import deeper\nimport json\n",
        deeper="import later\n",
    )
    assert names(tmp_path / "main.py") == ["deeper.py", "later.py", "main.py"]


def test_of_a_module_in_a_package_the_outermost_package_is_kept(tmp_path):
    write(tmp_path, app____init__="", app__training__step="", app__other="")
    for directory in (tmp_path / "app", tmp_path / "app" / "training"):
        (directory / "__init__.py").write_text("")
    found = names(train=tmp_path / "app" / "training" / "step.py")
    assert {"app/__init__.py", "app/training/step.py", "app/other.py"} <= set(found)


def test_environments_hidden_and_built_directories_are_not_sources(tmp_path):
    write(
        tmp_path,
        app__net="",
        app__venv__lib__x="",
        app__mine__x="",
        app__condas__x="",
        app__node_modules__x="",
        app__site__x="",
        app__build__x="",
    )
    package = tmp_path / "app"
    (package / "__init__.py").write_text("")
    (package / "mine" / "pyvenv.cfg").write_text("")
    (package / "condas" / "conda-meta").mkdir()
    (package / ".hidden").mkdir()
    (package / ".hidden" / "x.py").write_text("")
    (package / ".x.py").write_text("")
    (package / "data.csv").write_text("1\n")
    (package / ".env").write_text("TOKEN=1\n")
    assert names(train=package / "net.py") == ["app/__init__.py", "app/net.py", "app/site/x.py"]


def test_sources_that_hold_secrets_are_named_and_left_out(tmp_path):
    write(tmp_path, app__net="", app__secrets="KEY = 1\n", app__tokenizer="", app__test_secrets="")
    (tmp_path / "app" / "__init__.py").write_text("")
    found = local_modules(None, tmp_path / "app" / "net.py", {})
    assert found.left_out == ("app/secrets.py",)
    assert {"app/tokenizer.py", "app/test_secrets.py"} <= found.files.keys()


def test_installed_modules_and_python_itself_are_not_the_users():
    import numpy as np

    assert names(modules={"numpy": np, "json": json, "sys": sys, "pytest": pytest}) == []


def test_there_is_a_limit_of_files_and_bytes(tmp_path, monkeypatch):
    write(tmp_path, **{f"app__m{number}": "x = 1\n" for number in range(8)})
    (tmp_path / "app" / "__init__.py").write_text("")
    train = tmp_path / "app" / "m0.py"
    monkeypatch.setattr(module, "MOST_FILES", 4)
    found = local_modules(None, train, {})
    assert (len(found.files), found.is_cut) == (4, True)
    monkeypatch.setattr(module, "MOST_FILES", 100)
    monkeypatch.setattr(module, "LARGEST", 20)
    found = local_modules(None, train, {})
    assert (len(found.files), found.is_cut) == (4, True)  # an empty one and three of six bytes
    monkeypatch.setattr(module, "LARGEST_FILE", 5)
    assert list(local_modules(None, train, {}).files) == ["app/__init__.py"]


def test_the_archive_can_be_unpacked_and_run(tmp_path):
    write(tmp_path / "one", main="import helper\nprint(helper.VALUE)\n", helper="VALUE = 7\n")
    content = local_modules(tmp_path / "one" / "main.py", None, {}).archive()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "two")
    (tmp_path / "one" / "helper.py").unlink()
    done = subprocess.run(
        [sys.executable, str(tmp_path / "two" / "main.py")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "7\n"


def test_the_same_sources_make_the_same_archive(tmp_path):
    write(tmp_path, main="import helper\n", helper="")
    one = local_modules(tmp_path / "main.py", None, {}).archive()
    os.utime(tmp_path / "main.py", (1, 1))
    assert local_modules(tmp_path / "main.py", None, {}).archive() == one
    write(tmp_path, helper="x = 1\n")
    assert local_modules(tmp_path / "main.py", None, {}).archive() != one


def test_a_source_that_is_not_python_or_is_gone_ends_nothing(tmp_path):
    write(tmp_path, main="import broken\n", broken="def (:\n")
    assert names(tmp_path / "main.py") == ["broken.py", "main.py"]
    found = local_modules(tmp_path / "main.py", None, {})
    (tmp_path / "broken.py").unlink()
    with zipfile.ZipFile(io.BytesIO(found.archive())) as archive:
        assert archive.namelist() == ["main.py"]
    assert names(tmp_path / "gone.py") == []
