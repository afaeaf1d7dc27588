"""What the command says of itself, and its completion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from hopsml_flows.cli import app, main
from tests.written import over, result

COMMANDS = (
    *("best", "compare", "diff", "export", "list", "logs", "models", "replay", "rm"),
    *("setup-prefect", "show", "tensorboard", "trials", "ui"),
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


@pytest.fixture
def bash(tmp_path):
    """Complete the last word of a command line in bash, with the installed completion."""
    code = f"#!{sys.executable}\nfrom hopsml_flows.cli import main; main()\n"
    program = tmp_path / "bin/hopsml"
    program.parent.mkdir()
    program.write_text(code)
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": path}
    told = {"env": environment, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run([program, "--install-completion", "--shell", "bash"], **told)
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".local/share/bash-completion/completions/hopsml"

    def complete(*words):
        line = (
            f"source {shlex.quote(str(script))}; COMP_WORDS=(hopsml {shlex.join(words)}); "
            f'COMP_CWORD={len(words)}; _hopsml; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        answer = subprocess.run(["bash", "--norc", "-c", line], check=True, **told)
        assert not answer.stderr
        return answer.stdout.split()

    return complete


def test_completion_is_installed_by_a_command_and_completes_in_bash(bash):
    assert bash("lo") == ["logs"]


FIRST = "digits-20240101-120000-aaaaaa"
SECOND = "digits-20240301-120000-bbbbbb"
IRIS = "iris-20240401-120000-cccccc"


@pytest.fixture
def filled(project):
    for name in (FIRST, SECOND, IRIS):
        over(project, name, [result(1, {"x": 1}, 0.5)])
    return project


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("", ["last", IRIS, SECOND, FIRST]), ("dig", [SECOND, FIRST]), ("x", []), (IRIS[:12], [IRIS])],
)
def test_identifiers_of_experiments_are_offered(filled, capsys, typed, offered):
    main_of_shell(["__complete", "show", "--project", filled.url, typed])
    assert candidates(capsys) == offered


@pytest.mark.parametrize(
    "words", [["rm", IRIS], ["compare", IRIS], ["diff", IRIS], ["export"], ["best"], ["logs"]]
)
def test_every_command_that_takes_experiments_completes_them(filled, capsys, words):
    main_of_shell(["__complete", *words, "-p", filled.url, "dig"])
    assert candidates(capsys) == [SECOND, FIRST]


def test_bash_completes_an_identifier(filled, bash):
    assert bash("show", "--project", filled.url, "ir") == [IRIS]


@pytest.mark.parametrize("project", ["/nothing/there", "nonsense://x", "block:none"])
def test_a_project_that_cannot_be_read_offers_nothing(capsys, monkeypatch, project):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    main_of_shell(["__complete", "show", "--project", project, ""])
    assert candidates(capsys) == []


def main_of_shell(words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code


def candidates(capsys):
    _, begun, text = capsys.readouterr().out.partition("\x1fbegin\n")
    assert begun
    return text.splitlines()
