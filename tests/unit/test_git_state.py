"""What is kept of a program's git repository, on real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from hopsml_flows.tracking.versions import git_state as module
from hopsml_flows.tracking.versions.git_state import git_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Runs git in a new repository with one commit; ``git.path`` is its directory."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "work tree"
    root.mkdir()

    def run(*arguments):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run.path = root
    run("init", "--initial-branch", "trunk")
    (root / "train.py").write_text("rate = 1\n")
    (root / "code").mkdir()
    (root / "code" / "net.py").write_text("layers = 2\n")
    run("add", ".")
    run("commit", "-m", "first")
    return run


def test_a_clean_tree_is_its_commit(git):
    state = git_state(git.path / "code")  # any directory of the repository
    assert state.as_json() == {
        "commit": git("rev-parse", "HEAD"),
        "branch": "trunk",
        "remote": None,
        "dirty": False,
        "cut": False,
        "left_out": [],
        "untracked": 0,
    }
    assert state.difference == ""


def test_the_difference_makes_the_program_of_the_commit(git, tmp_path):
    (git.path / "train.py").write_text("rate = 2\n")
    (git.path / "code" / "net.py").unlink()
    (git.path / "new.py").write_text("1\n")
    git("add", "new.py")
    state = git_state(git.path)
    assert state.as_json()["dirty"] is True
    git("reset", "--hard")
    (tmp_path / "d.diff").write_text(state.difference)
    git("apply", str(tmp_path / "d.diff"))
    assert (git.path / "train.py").read_text() == "rate = 2\n"
    assert (git.path / "new.py").read_text() == "1\n"
    assert not (git.path / "code" / "net.py").exists()


def test_the_users_settings_change_nothing(git):
    git("config", "diff.noprefix", "true")
    git("config", "color.ui", "always")
    git("config", "diff.external", "false")
    (git.path / "train.py").write_text("rate = 2\n")
    assert git_state(git.path).difference.startswith("diff --git a/train.py b/train.py\n")


def test_untracked_files_are_counted_and_not_kept(git):
    (git.path / "notes.txt").write_text("words\n")
    (git.path / "data").mkdir()
    (git.path / "data" / "x.csv").write_text("1\n")
    (git.path / ".gitignore").write_text("*.csv\n")
    state = git_state(git.path)
    assert (state.untracked, state.difference) == (2, "")  # the notes, and what ignores the data


def test_files_that_hold_secrets_are_named_and_left_out(git):
    for name in (".env", "prod.env", "key.pem", "secrets.yaml", "my credentials.json", "id_rsa"):
        (git.path / name).write_text("hunter2hunter2\n")
    git("add", "-f", ".")
    (git.path / "train.py").write_text("rate = 2\n")
    state = git_state(git.path)
    assert "hunter2" not in state.difference
    assert "rate = 2" in state.difference
    assert len(state.left_out) == 6
    assert {".env", "prod.env", "key.pem", "secrets.yaml", "id_rsa"} < set(state.left_out)
    assert state.as_json()["dirty"] is True


def test_a_removed_file_with_secrets_is_left_out_too(git):
    (git.path / ".env").write_text("hunter2hunter2\n")
    git("add", "-f", ".env")
    git("commit", "-m", "second")
    git("mv", ".env", "env.txt")
    state = git_state(git.path)
    assert "hunter2" not in state.difference
    assert state.left_out == (".env",)


def test_what_sets_a_password_is_struck_out_of_other_files(git):
    (git.path / "train.py").write_text(
        'url = "https://me:hunter2hunter2@host/x"\n'
        'other = "https://ghp_0123456789abcdef@host/x"\n'
        'API_KEY = "hunter2hunter2"\n'
        'os.environ["HF_TOKEN"] = "hunter2hunter2"\n'
        "password: hunter2hunter2\n"
        'pad_token = "<pad>"\n'
        "key = sorted(words)\n"
    )
    told = git_state(git.path).difference
    assert "hunter2" not in told
    assert "ghp_0123456789abcdef" not in told
    assert '+pad_token = "<pad>"\n' in told
    assert "+key = sorted(words)\n" in told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:tok-en@host/team/x.git", "https://host/team/x.git"),
        ("https://tok-en@host/team/x.git", "https://host/team/x.git"),
        ("https://host/team/x.git?private_token=tok-en", "https://host/team/x.git"),
        ("ssh://git@host:22/team/x.git", "ssh://git@host:22/team/x.git"),
        ("git@host:team/x.git", "git@host:team/x.git"),
        ("/srv/git/x.git", "/srv/git/x.git"),
    ],
)
def test_the_remote_repository_is_named_without_token(git, url, shown):
    git("remote", "add", "origin", url)
    assert git_state(git.path).remote == shown


def test_a_long_difference_is_cut_where_a_file_ends(git):
    half = "a line of some length\n" * (module.LARGEST_DIFFERENCE // 30)
    (git.path / "a.txt").write_text(half)
    (git.path / "b.txt").write_text(half)
    git("add", ".")
    state = git_state(git.path)
    assert state.is_cut
    assert "a/a.txt" in state.difference
    assert "a/b.txt" not in state.difference
    assert len(state.difference) <= module.LARGEST_DIFFERENCE


def test_before_the_first_commit_there_is_none(tmp_path, git):
    shutil.rmtree(git.path / ".git")
    git("init", "--initial-branch", "trunk")
    git("add", "train.py")
    state = git_state(git.path)
    assert (state.commit, state.branch) == (None, "trunk")
    assert "+rate = 1" in state.difference


def test_on_no_branch_there_is_still_a_commit(git):
    git("checkout", "--detach")
    state = git_state(git.path)
    assert (state.commit, state.branch) == (git("rev-parse", "HEAD"), None)


def test_outside_of_a_repository_there_is_no_state(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "gone") is None


def test_without_git_there_is_no_state(git, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(git.path) is None


def slow_git(directory, monkeypatch, *, slow):
    """Let a git that never answers some commands be the one that is found."""
    real = shutil.which("git")
    directory.mkdir()
    script = directory / "git"
    script.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        f"if {slow!r} in sys.argv: time.sleep(600)\n"
        f"os.execv({real!r}, sys.argv)\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


def test_a_git_that_never_answers_is_given_up(git, tmp_path, monkeypatch):
    slow_git(tmp_path / "bin", monkeypatch, slow="rev-parse")
    began = time.monotonic()
    assert git_state(git.path, seconds=0.5) is None
    assert time.monotonic() - began < 300  # rather than the ten minutes that it sleeps


def test_a_slow_difference_leaves_the_commit(git, tmp_path, monkeypatch):
    commit = git("rev-parse", "HEAD")
    slow_git(tmp_path / "bin", monkeypatch, slow="diff")
    state = git_state(git.path, seconds=8)
    assert (state.commit, state.difference) == (commit, None)
    assert state.as_json()["dirty"] is None


def test_nothing_is_written_to_the_repository(git):
    os.utime(git.path / "train.py")  # git would refresh its index
    index = git.path / ".git" / "index"
    before = (index.read_bytes(), index.stat().st_mtime_ns)
    git_state(git.path)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before
