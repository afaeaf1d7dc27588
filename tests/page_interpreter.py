"""Runs the blocks of one page, as a reader would who pastes them one after the other.

``python page_interpreter.py steps.json PAGE`` in the page's own directory. The Python blocks are
one program: this process's ``__main__``, with each line at the number that it has in the page, so
that tracebacks and sources are as in a script. Commands run in bash between them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import urlopen

BACKGROUND_SECONDS = 120
"""How long a command in the background may take to print what it is waited for."""

END_SECONDS = 30
"""How long such a command may take to end."""

_running: list[subprocess.Popen[bytes]] = []


def main(steps: list[dict[str, Any]], page: str) -> None:
    """Run the steps.

    Args:
        steps: For each block its language, line and code, and what the comment before it says.
        page: Name of the page, for the program's file.
    """
    program = Path(f"page-{page}.py").resolve()  # tensorboard.py would hide a library
    program.write_text(_program(steps))
    module = ModuleType("__main__")
    module.__file__ = str(program)
    sys.modules["__main__"] = module
    sys.argv = [str(program)]
    sys.path[0] = str(program.parent)  # as of a script that lies there
    try:
        for step in steps:
            print(f"--- line {step['line']}", file=sys.stderr, flush=True)
            if step["language"] == "python":
                _execute(step, module)
            elif step["said"].keys() & {"until", "answers"}:
                _start(step)
            else:
                _command(step)
            sys.stdout.flush()
    finally:
        for process in reversed(_running):
            _end(process)


def _program(steps: list[dict[str, Any]]) -> str:
    """All Python blocks, each at its line."""
    lines: list[str] = []
    for step in steps:
        if step["language"] == "python":
            lines += [""] * (step["line"] - 1 - len(lines))
            lines += step["code"].splitlines()
    return "\n".join(lines) + "\n"


def _execute(step: dict[str, Any], module: ModuleType) -> None:
    code = compile("\n" * (step["line"] - 1) + step["code"], module.__file__ or "", "exec")
    expected = step["said"].get("error")
    try:
        exec(code, module.__dict__)
    except Exception as error:
        if type(error).__name__ != expected:
            raise
        print(f"{expected}: {error}")
    else:
        if expected:
            raise SystemExit(f"line {step['line']} ended without {expected}")


def _command(step: dict[str, Any]) -> None:
    """Run commands; their directory and their exported variables stay, unless they must fail."""
    kept = Path(f".environment-{step['line']}").resolve()
    script = f'{step["code"]}\n{{ pwd; env -0; }} > "{kept}"\n'
    bash = ["bash", "-euo", "pipefail", "-c", script]
    if expected := step["said"].get("error"):
        failed = subprocess.run(bash, check=False, capture_output=True, text=True)
        print(failed.stdout, failed.stderr)
        if failed.returncode == 0 or expected not in failed.stderr:
            raise SystemExit(f"the commands of line {step['line']} ended without {expected}")
        return
    done = subprocess.run(bash, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the commands of line {step['line']} ended with {done.returncode}")
    directory, _, variables = kept.read_text().partition("\n")
    kept.unlink()
    os.chdir(directory)
    for variable in filter(None, variables.split("\0")):
        name, _, value = variable.partition("=")
        if name not in ("_", "SHLVL", "PWD", "OLDPWD"):
            os.environ[name] = value


def _start(step: dict[str, Any]) -> None:
    """Start commands in the background, and wait for what they print, or until they answer."""
    text, url = step["said"].get("until", ""), step["said"].get("answers")
    log = Path(f"background-{step['line']}.log").resolve()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", step["code"]],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},  # what it prints is waited for
            start_new_session=True,
        )
    _running.append(process)
    deadline = time.monotonic() + BACKGROUND_SECONDS
    while not (_answers(url) if url else text in log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            print(log.read_text(errors="replace"), file=sys.stderr)
            raise SystemExit(f"line {step['line']} did not get to {url or text!r}")
        time.sleep(0.2)
    print(log.read_text(errors="replace"))


def _answers(url: str) -> bool:
    with suppress(OSError), urlopen(url, timeout=10) as response:
        return response.status == 200
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command of the background and what it started: as by Ctrl-C, then by force."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            break


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
