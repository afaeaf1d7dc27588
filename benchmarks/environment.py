"""The benchmarks' own environments: one in which all contenders run, one of pages to compare.

Needs nothing but the standard library and uv, so that it runs before there is anything else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = HERE / ".venv"
LOCK = HERE / "requirements.txt"
RESULTS = HERE / "results"

_PAGES = HERE / "pages"
_STAMP = ".installed"
_PYTHON = VENV / "bin" / "python"


def enter() -> None:
    """Go on in the benchmarks' environment, and set it up first where it is missing or old."""
    if Path(sys.prefix) == VENV:
        return
    if not _is_current(VENV, LOCK):
        uv, install = _installed(VENV, LOCK)
        _uv_run(uv, *install, "--no-deps", "--editable", str(ROOT))
        _stamp(VENV, LOCK)
    os.execve(_PYTHON, [str(_PYTHON), *sys.argv], clean_environment())


def clean_environment() -> dict[str, str]:
    """The environment of the processes that are measured: nothing of the caller's settings.

    Bytecode is written, or every process would compile the project again.
    """
    ours = ("PREFECT_", "HOPSML_", "DASK_", "RAY_")
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.startswith(ours)
    }


def programs_of_pages() -> Path:
    """The programs of the pages that are compared with the project's, installed where missing.

    They have an environment of their own, for they do not accept all versions that the project is
    tested with.
    """
    venv, lock = _PAGES / ".venv", _PAGES / "requirements.txt"
    if not _is_current(venv, lock):
        _installed(venv, lock)
        _stamp(venv, lock)
    return venv / "bin"


def versions_of_pages(names: Sequence[str]) -> dict[str, str]:
    """Versions of packages in the environment of ``programs_of_pages``.

    Args:
        names: The packages.
    """
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    command = (programs_of_pages() / "python", "-c", code, *names)
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(zip(names, answer.split(), strict=True))


def _is_current(venv: Path, lock: Path) -> bool:
    stamp = venv / _STAMP
    return stamp.exists() and stamp.read_text() == _digest(lock)


def _stamp(venv: Path, lock: Path) -> None:
    (venv / _STAMP).write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _installed(venv: Path, lock: Path) -> tuple[str, tuple[str, ...]]:
    """Make an environment of what a lock names; returns uv, and how it installs more there."""
    print(f"setting up {venv.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
    uv = _uv()
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    python = str(base) if base.exists() else sys.executable
    _uv_run(uv, "venv", "--clear", "--python", python, str(venv))
    install = ("pip", "install", "--quiet", "--python", str(venv / "bin" / "python"))
    _uv_run(uv, *install, "--compile-bytecode", "--require-hashes", "-r", str(lock))
    return uv, install


def _uv() -> str:
    own = ROOT / ".venv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is needed: `make .venv/.uv` installs it for this project")
    return found


def _uv_run(*command: str) -> None:
    subprocess.run(command, check=True, env={"UV_LINK_MODE": "copy", **os.environ})
