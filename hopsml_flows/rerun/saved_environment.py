"""Builds the environment that an experiment keeps, with uv, in the cache directory."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hopsml_flows.errors import DamagedFileError, MissingPackageError, SavedEnvironmentError
from hopsml_flows.service.comparison import environment_facts
from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.storage.cache_directory import cache_directory
from hopsml_flows.text import plural, say

__all__ = ["OWN", "Requirements", "build_environment", "requirements_of"]

OWN = "hopsml-flows"
"""This package: the process runs it as it is now."""

_DONE = ".hopsml-environment"
"""Marks an environment that is whole."""

_NO_PACKAGES = frozenset({"Python", "GPU", "GPU driver"})
_MOST_LINES = 12


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an environment is built from.

    Args:
        python: Version of Python.
        lines: The packages as pip's requirements, in order.
    """

    python: str
    lines: tuple[str, ...]

    @property
    def key(self) -> str:
        """A name that is the same for the same environment."""
        text = "\n".join((self.python, platform.machine(), *self.lines))
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def requirements_of(environment: str | None, lock: bytes | None) -> Requirements:
    r"""Return what an experiment's environment is built from.

    Args:
        environment: Content of ``environment.txt``: all packages with their versions.
        lock: Content of ``pylock.toml``, or None: where packages that are of no index came from.

    Raises:
        SavedEnvironmentError: No environment is saved.
        DamagedFileError: The lock file is none.

    Example:
        >>> requirements_of("# Python 3.12.1 (cpython)\nnumpy==2.1.0\n", None)
        Requirements(python='3.12.1', lines=('numpy==2.1.0',))
    """
    facts = environment_facts(environment)
    if "Python" not in facts:
        raise SavedEnvironmentError("the experiment keeps no list of its packages")
    origins = {} if lock is None else _origins(lock)
    lines = []
    for name, version in sorted(facts.items()):
        key = re.sub(r"[-_.]+", "-", name).lower()
        if name not in _NO_PACKAGES and key != OWN:
            lines.append(origins.get(key, f"{key}=={version}"))
    return Requirements(facts["Python"], tuple(lines))


def _origins(lock: bytes) -> dict[str, str]:
    """Name to requirement, of packages that came from a repository, an archive or a directory."""
    try:
        packages = tomllib.loads(lock.decode()).get("packages", [])
        return {
            entry["name"]: f"{entry['name']} @ {origin}"
            for entry in packages
            if (origin := _origin(entry)) is not None
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(ExperimentFiles.LOCK, f"is no lock file ({error})") from error


def _origin(entry: Mapping[str, Any]) -> str | None:
    if (vcs := entry.get("vcs")) is not None:
        within = f"#subdirectory={vcs['subdirectory']}" if vcs.get("subdirectory") else ""
        return f"{vcs['type']}+{vcs['url']}@{vcs['commit-id']}{within}"
    if (archive := entry.get("archive")) is not None:
        return str(archive["url"])
    if (directory := entry.get("directory")) is not None:
        return Path(directory["path"]).as_uri()
    return None


def build_environment(requirements: Requirements) -> Path:
    """Build an environment, or find it as it was built before.

    Args:
        requirements: What it is built from.

    Returns:
        Its interpreter.

    Raises:
        MissingPackageError: uv is not installed.
        SavedEnvironmentError: uv cannot get that Python, or a package.
    """
    uv = _uv()
    place = cache_directory() / "environments" / requirements.key
    place.parent.mkdir(parents=True, exist_ok=True)
    python = place / "bin" / "python"
    with _alone(place.with_suffix(".lock")):
        if (place / _DONE).is_file() and python.exists():
            return python
        say(
            f"Building the saved environment: Python {requirements.python}, "
            f"{plural(len(requirements.lines), 'package')}",
            sys.stderr,
        )
        shutil.rmtree(place, ignore_errors=True)
        try:
            _make(uv, requirements.python, place)
            listed = place / "requirements.txt"
            listed.write_text("\n".join(requirements.lines) + "\n")
            command = ["pip", "install", "--quiet", "--no-deps", "--python", str(python)]
            _call(uv, [*command, "--requirement", str(listed)], "a package cannot be installed")
            (place / _DONE).touch()
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    return python


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise MissingPackageError(
            "the saved environment is built by uv, which is not installed: pip install uv"
        )
    return found


def _make(uv: str, version: str, place: Path) -> None:
    """Make an environment without packages: with that Python, or one of the same minor version."""
    if version == platform.python_version():
        return _call(uv, ["venv", "--quiet", "--python", sys.executable, str(place)], "no Python")
    minor = ".".join(version.split(".")[:2])
    try:
        return _call(uv, ["venv", "--quiet", "--python", version, str(place)], "no Python")
    except SavedEnvironmentError:
        return _call(
            uv,
            ["venv", "--quiet", "--clear", "--python", minor, str(place)],
            f"there is no Python {version}, and none of {minor}",
        )


def _call(uv: str, arguments: Sequence[str], problem: str) -> None:
    done = subprocess.run(
        [uv, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        told = "\n".join(done.stderr.strip().splitlines()[-_MOST_LINES:])
        raise SavedEnvironmentError(f"the saved environment cannot be built: {problem}\n{told}")


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Let one process at a time build an environment."""
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
