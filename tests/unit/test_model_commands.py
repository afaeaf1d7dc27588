"""The commands below ``hopsml models``."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hopsml_flows.cli import app, main
from hopsml_flows.models import Origin
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.model_files import local_files
from hopsml_flows.models.repository import keep_confirmed
from hopsml_flows.storage import ModelPaths, Project, this_process

FIRST = "net-20240101-120000-aaaaaa"
SECOND = "net-20240301-120000-bbbbbb"
CODE = "from hopsml_flows.cli import main; main()"


@pytest.fixture
def filled(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path / "demo")
    for name, lr in ((FIRST, 1), (SECOND, 2)):
        project.make_directory(f"Experiments/{name}")
        project.replace(f"Experiments/{name}/program.py", f"lr = {lr}\nprint(lr)\n")
    Path("weights").write_text("0.5")
    for number, loss, experiment in ((1, 0.5, FIRST), (2, 0.25, SECOND)):
        program = f"Experiments/{experiment}/program.py"
        origin = Origin(experiment, number, params={"lr": number}, program=program)
        details = Details(metrics={"loss": loss}, description=f"try {number}", origin=origin)
        export_version(project, "digits", local_files(Path("weights")), details)
    export_version(project, "iris", local_files(Path("weights")), Details({"loss": math.nan}))
    return project


@pytest.fixture
def command(filled, capsys):
    """Run the command in this process; returns what it printed and what it said."""

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["models", *arguments, "--project", filled.url])
        assert (ended.value.code or 0) == code
        printed = capsys.readouterr()
        return printed.out, printed.err

    return run


def test_versions_are_listed_with_the_newest_of_each_model_first(command):
    out, said = command("list")
    head, *lines = out.splitlines()
    assert head.split()[:4] == ["model", "metrics", "created", "experiment"]
    assert [line.split()[:2] for line in lines[:3]] == [
        ["digits/2", "loss=0.25"],
        ["digits/1", "loss=0.5"],
        ["iris/1", "loss=nan"],
    ]
    assert max(map(len, out.splitlines())) <= 80
    assert said == ""
    assert "iris" not in command("list", "digits")[0]


def test_the_models_of_one_experiment_are_listed(command, filled):
    out, _ = command("list", "--experiment", "net@-2")
    assert [line.split()[0] for line in out.splitlines()[1:2]] == ["digits/1"]
    assert "digits/2" not in out
    assert "iris" not in out
    _, said = command("list", "iris", "-e", FIRST)
    assert said == f"hopsml: {FIRST} has no models\n"
    assert "got 'nothing'" in command("list", "-e", "nothing", code=2)[1]


def test_the_list_as_json_is_strict(command):
    records = json.loads(command("list", "--json")[0], parse_constant=pytest.fail)
    assert [(r["name"], r["version"]) for r in records] == [
        ("digits", 2),
        ("digits", 1),
        ("iris", 1),
    ]
    assert records[2]["metrics"] == {"loss": "NaN"}


def test_a_damaged_record_is_told_and_the_others_are_listed(command, filled):
    filled.replace(ModelPaths("digits", 1).record, b"[]")
    out, said = command("list", "digits")
    assert "digits/2" in out
    assert "digits/1" not in out
    assert "digits/1/.model.json is no record of a model" in said


def test_a_version_is_shown_with_its_origin_and_its_files(command, filled):
    out, _ = command("show", "digits/1")
    lines = out.splitlines()
    assert lines[0] == "digits/1: files, 1 file, 3 bytes"
    assert "metric      loss 0.5" in lines
    assert f"experiment  {FIRST}, trial 1" in lines
    assert "parameters  lr=1" in lines
    assert f"directory   {filled.url}/Models/digits/1" in lines
    assert lines[-1].endswith("  weights")
    told = json.loads(command("show", "digits", "--json")[0])
    assert (told["version"], told["path"]) == (2, f"{filled.url}/Models/digits/2")


def test_what_fresh_seeds_say_of_a_version_is_shown(command, filled):
    keep_confirmed(filled, "digits", 1, {"loss": {"mean": 0.75, "optimistic": 0.5}})
    lines = command("show", "digits/1")[0].splitlines()
    assert "corrected   loss 0.75 on fresh seeds; the search found 0.5" in lines
    assert "metric      loss 0.5" in lines


def test_a_version_is_copied_once(command, filled):
    out, _ = command("download", "digits")
    assert out == f"copied digits/2 to {Path('digits/2').absolute()}\n"
    assert Path("digits/2/weights").read_text() == "0.5"
    Path("digits/2/weights").write_text("mine")
    _, said = command("download", "digits/2", code=2)
    assert "--overwrite replaces it" in said
    told = json.loads(command("download", "digits/2", "--overwrite", "--json")[0])
    assert told["path"] == str(Path("digits/2").absolute())
    assert Path("digits/2/weights").read_text() == "0.5"
    command("download", "digits/1", "-o", "served")
    assert os.listdir("served") == ["weights"]


def test_differences_are_those_of_metrics_parameters_and_program(command):
    out, _ = command("diff", "digits/1", "digits", code=1)
    lines = out.splitlines()
    assert lines[:4] == ["--- digits/1", "+++ digits/2", "-metrics.loss=0.5", "+metrics.loss=0.25"]
    assert {"-params.lr=1", "+params.lr=2", "-lr = 1", "+lr = 2"} <= set(lines)
    assert "weights" not in out
    told = json.loads(command("diff", "digits/1", "digits/2", "--json", code=1)[0])
    assert told["compared"] == ["digits/1", "digits/2"]
    assert {"name": "params.lr", "values": [1, 2]} in told["facts"]
    assert command("diff", "iris", "iris/1")[0] == "iris/1 and iris/1 do not differ\n"


def test_a_version_is_removed_without_a_question_if_that_is_said(command, filled):
    assert command("rm", "digits/1", "digits/1", "--yes")[0] == "removed digits/1\n"
    assert filled.listdir("Models/digits") == ["2"]
    told = json.loads(command("rm", "digits/2", "iris/1", "-y", "--json")[0])
    assert told == {"removed": ["digits/2", "iris/1"], "kept": []}
    assert filled.listdir("Models") == []
    assert "the project has no models" in command("list")[1]


def test_nothing_is_removed_if_one_of_several_does_not_exist(command, filled):
    _, said = command("rm", "digits/1", "digits/9", "--yes", code=2)
    assert "'digits/9' cannot be used, because it does not exist" in said
    assert filled.listdir("Models/digits") == ["1", "2"]


def test_a_version_that_is_being_written_is_kept(command, filled):
    claim = ModelPaths("digits", 2).claim
    filled.create(claim, json.dumps({"token": "t", "process": this_process()}))
    out, said = command("rm", "digits/1", "digits/2", "--yes", code=2)
    assert out == "removed digits/1\n"
    assert "digits/2: version: 2 cannot be used, because it is being written by process" in said
    assert filled.listdir("Models/digits") == ["2"]


def test_without_a_terminal_to_ask_yes_must_be_said(filled):
    done = subprocess.run(
        [sys.executable, "-c", CODE, "models", "rm", "digits/1", "-p", filled.url],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "--yes: must be given" in done.stderr
    assert filled.listdir("Models/digits") == ["1", "2"]


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", ["1", "2"]), (b"y\n", ["2"])])
def test_the_question_is_answered_on_a_terminal(filled, answer, left):
    outer, inner = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "models", "rm", "digits/1", "-p", filled.url],
            stdin=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.write(outer, answer)
        _, said = process.communicate(timeout=60)
    finally:
        os.close(outer)
        os.close(inner)
    assert b"digits/1\nRemove 1 version for good? [y/N] " in said
    assert filled.listdir("Models/digits") == left


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "nothing"), "MODEL: 'nothing' cannot be used, because"),
        (("show", "digits/9"), "has only 1, 2"),
        (("show", "digits/x"), "MODEL: must be a model's NAME, or NAME/VERSION"),
        (("diff", "digits/1", "digits/9"), "OTHER: 'digits/9' cannot be used"),
        (("list", "nothing"), "NAME: 'nothing' cannot be used"),
        (("list", "a/b"), "NAME: must be a text"),
        (("rm", "digits", "--yes"), "MODEL: must be NAME/VERSION"),
        (("rm", "--yes"), "MODEL: must be at least one"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_2(command, arguments, told):
    _, said = command(*arguments, code=2)
    assert told in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["list", "show", "download", "rm", "diff"])
def test_each_command_has_examples_that_its_parser_takes(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["models", name, "--help"])
    examples = re.findall(r"^ (hopsml .*)", capsys.readouterr().out, re.MULTILINE)
    assert len(examples) >= 2
    for line in examples:
        program, group, command, *words = shlex.split(line, comments=True)
        assert (program, group, command) == ("hopsml", "models", name)
        _, bound, _ = app.parse_args([group, command, *words], exit_on_error=False)
        assert bound.arguments or not words


def test_names_and_versions_are_completed(filled, monkeypatch):
    from hopsml_flows.cli.models.versions import version_names

    class Typed:
        """What cyclopts passes to a completer, as far as this one uses it."""

        def __init__(self, incomplete):
            self.incomplete = incomplete

        def get(self, name):
            return None

    monkeypatch.setenv("HOPSML_PROJECT", filled.url)
    assert version_names(Typed("")) == ["digits", "iris"]
    assert version_names(Typed("d")) == ["digits"]
    assert version_names(Typed("digits/")) == ["digits/2", "digits/1"]
