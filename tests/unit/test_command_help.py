"""What the command says of itself, and its completion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from hopsml_flows.cli import app, main

COMMANDS = (
    *("best", "compare", "diff", "export", "list", "logs", "replay", "rm", "setup-prefect"),
    *("show", "tensorboard", "trials", "ui"),
)


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_without_arguments_the_command_says_what_there_is(capsys):
    text = shown(capsys)
    assert text == shown(capsys, "--help")
    for command in (*COMMANDS, "--install-completion"):
        assert re.search(rf"^│ {command} ", text, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_subcommand_has_examples_that_its_parser_takes(capsys, command):
    text = shown(capsys, command, "--help")
    examples = re.findall(r"^ (hopsml .*)", text, re.MULTILINE)
    assert len(examples) >= 2
    for line in examples:
        program, name, *words = shlex.split(line, comments=True)
        assert (program, name) == ("hopsml", command)
        _, bound, _ = app.parse_args([name, *words], exit_on_error=False)
        assert bound.arguments or not words


def test_completion_is_installed_by_a_command_and_completes_in_bash(tmp_path):
    code = "from hopsml_flows.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--install-completion", "--shell", "bash"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".local/share/bash-completion/completions/hopsml"
    program = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=(hopsml lo); COMP_CWORD=1; "
        "_hopsml; echo ${COMPREPLY[@]}"
    )
    completed = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert completed.stdout.split() == ["logs"]
