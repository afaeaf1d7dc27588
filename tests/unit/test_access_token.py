"""Where the token of ``hopsml ui`` comes from, and who can see it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from hopsml_flows.cli import main
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service.web.access_token import TOKEN_VARIABLE, given_token

TOKEN = "correct-horse/battery+staple=%&#?"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_without_one_there_is_no_token(monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert given_token() == ""


def test_the_variable_is_read_once_and_not_inherited(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert given_token() == TOKEN
    assert TOKEN_VARIABLE not in os.environ


def test_a_file_comes_before_the_variable(file, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "x" * 20)
    assert given_token(str(file)) == TOKEN
    assert TOKEN_VARIABLE not in os.environ


def test_a_pipe_of_the_shell_is_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TOKEN,))
    writer.start()
    assert given_token(str(pipe)) == TOKEN
    writer.join()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "from 16 to 1,024"),
        ("short-secret", "from 16 to 1,024"),
        ("long-secret" * 1000, "from 16 to 1,024"),
        ("two secret words, long", "one line"),
        ("two-secret-lines\nof-some-length", "one line"),
        ("not-ascii-secret-é", "one line"),
    ],
)
def test_what_is_no_good_token_is_refused_and_not_shown(tmp_path, monkeypatch, content, words):
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(InvalidArgumentError, match=words) as refused:
        given_token(str(path))
    assert "secret" not in str(refused.value)
    if content:
        monkeypatch.setenv(TOKEN_VARIABLE, content)
        with pytest.raises(InvalidArgumentError, match=TOKEN_VARIABLE):
            given_token()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidArgumentError, match="No such file or directory"):
        given_token(str(tmp_path / "none"))


def test_no_option_takes_the_token_itself(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["ui", "--token", TOKEN])
    assert ended.value.code
    assert "--token" in "".join(capsys.readouterr())


@pytest.mark.parametrize("given", ["variable", "file"])
def test_the_server_wants_the_token_and_its_process_does_not_show_it(project, file, given):
    project.make_directory("Experiments")
    code = "from hopsml_flows.cli import main; main()"
    command = [sys.executable, "-c", code, "ui", "--port", "0", "--project", project.url]
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    if given == "variable":
        environment[TOKEN_VARIABLE] = TOKEN
    else:
        command += ["--token-file", str(file)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().split(": ")[1].split(" ")[0]
        arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        with httpx.Client(trust_env=False) as client:
            bare = client.get(address.partition("?")[0])
            let_in = client.get(address, follow_redirects=True)
            by_header = httpx.get(
                address.partition("?")[0],
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
            )
        server.terminate()
    assert TOKEN.encode() not in arguments
    assert (bare.status_code, let_in.status_code, by_header.status_code) == (401, 200, 200)
    assert "token" not in str(let_in.url)
