"""Says which commit of a git repository a program is of, and how the files differ from it.

Git may be missing, slow, or refuse: then less is known. Nothing here writes to the repository or
asks for a password.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hopsml_flows.tracking.versions.secret_names import (
    is_secret_file,
    without_secrets,
    without_user,
)

__all__ = ["LARGEST_DIFFERENCE", "GitState", "git_state"]

LARGEST_DIFFERENCE = 1 << 20
"""Most bytes of a difference that are kept."""

SECONDS = 5.0
"""How long git may take, all in all."""

_SETTINGS = (
    *("-c", "core.fsmonitor=false"),  # the repository's setting may name a program
    *("-c", "core.quotePath=false"),
    *("-c", "core.pager=cat"),
)
_SECTION = re.compile(r"(?m)^(?=diff --git )")
_HEADER = re.compile(r'[^"/\s]+(?:/[^"/\s]+)*')


@dataclass(frozen=True, slots=True)
class GitState:
    """A repository's state.

    Args:
        commit: The commit that is checked out; None before the first one.
        branch: Its branch, or None.
        remote: URL of the remote repository "origin" without user and password, or None.
        difference: How the tracked files differ from the commit, as git prints it; None if git
            took too long.
        left_out: Files whose differences are left out, as such files usually hold secrets.
        is_cut: Whether the difference is longer than what is kept of it.
        untracked: Number of files that git neither tracks nor ignores; None if it is not known.
    """

    commit: str | None
    branch: str | None = None
    remote: str | None = None
    difference: str | None = None
    left_out: tuple[str, ...] = ()
    is_cut: bool = False
    untracked: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The state for the record, without the text of the difference."""
        known = self.difference is not None
        dirty = bool(self.difference or self.left_out or self.is_cut) if known else None
        return {
            "commit": self.commit,
            "branch": self.branch,
            "remote": self.remote,
            "dirty": dirty,
            "cut": self.is_cut,
            "left_out": list(self.left_out),
            "untracked": self.untracked,
        }


def git_state(directory: Path, *, seconds: float = SECONDS) -> GitState | None:
    """Return the state of the repository that a directory lies in; None if it lies in none.

    Args:
        directory: The directory of a program.
        seconds: How long git may take.
    """
    git = _Git(directory, time.monotonic() + seconds)
    top = git.line("rev-parse", "--show-toplevel")
    if not top:
        return None
    git = _Git(Path(top), git.until)
    commit = git.line("rev-parse", "--verify", "--quiet", "HEAD") or None
    branch = git.line("symbolic-ref", "--short", "--quiet", "HEAD") or None
    remote = git.line("config", "--get", "remote.origin.url")
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
    told = git.output("diff", *options, "HEAD" if commit else "--cached")
    others = git.output("ls-files", "--others", "--exclude-standard", "-z")
    text: str | None = None
    left_out: tuple[str, ...] = ()
    is_cut = False
    if told is not None:
        is_cut = len(told) > LARGEST_DIFFERENCE
        text, left_out = _shown(told.decode(errors="replace"), is_cut=is_cut)
    return GitState(
        commit=commit,
        branch=branch,
        remote=without_user(remote) if remote else None,
        difference=text,
        left_out=left_out,
        is_cut=is_cut,
        untracked=None if others is None else others.count(b"\0"),
    )


def _shown(told: str, *, is_cut: bool) -> tuple[str, tuple[str, ...]]:
    """A difference without secrets, and the files that are left out of it.

    Args:
        told: What git printed.
        is_cut: Whether the end is missing. Then the last file's difference is not whole.
    """
    sections = [section for section in _SECTION.split(told) if section]
    if is_cut and sections:
        sections.pop()
    kept, left_out = [], []
    for section in sections:
        names = _HEADER.findall(section.partition("\n")[0].removeprefix("diff --git "))
        secret = [name for name in names if is_secret_file(name)]
        if secret:
            left_out.append(re.sub("^[ab]/", "", secret[-1]))
        else:
            kept.append(without_secrets(section))
    return "".join(kept), tuple(left_out)


class _Git:
    """Runs git in a directory.

    Args:
        directory: The directory.
        until: When git must have answered, on the monotonic clock.
    """

    def __init__(self, directory: Path, until: float) -> None:
        self._directory = directory
        self.until = until

    def line(self, *arguments: str) -> str:
        """The line that git prints; "" if it refuses."""
        return (self.output(*arguments) or b"").decode(errors="replace").strip()

    def output(self, *arguments: str) -> bytes | None:
        """What git prints, or a little more than is kept of it; None if it refuses or is slow."""
        left = self.until - time.monotonic()
        if left <= 0:
            return None
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            process = subprocess.Popen(
                ["git", *_SETTINGS, *arguments],
                cwd=self._directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:  # there is no git, or no directory any more
            return None
        assert process.stdout is not None
        was_slow = threading.Event()

        def end() -> None:
            was_slow.set()
            _kill(process)

        timer = threading.Timer(left, end)
        timer.daemon = True
        timer.start()
        with process.stdout:
            told = process.stdout.read(LARGEST_DIFFERENCE + 1)
        is_cut = len(told) > LARGEST_DIFFERENCE
        if is_cut:
            _kill(process)
        code = process.wait()
        timer.cancel()
        return told if is_cut or (code == 0 and not was_slow.is_set()) else None


def _kill(process: subprocess.Popen[bytes]) -> None:
    # With what it has started: that may hold the pipe open.
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
