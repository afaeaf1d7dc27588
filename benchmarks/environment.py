"""The benchmarks' own environment: one virtual environment in which all contenders run.

Needs nothing but the standard library and uv, so that it runs before there is anything else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = HERE / ".venv"
LOCK = HERE / "requirements.txt"
RESULTS = HERE / "results"

_STAMP = VENV / ".installed"
_PYTHON = VENV / "bin" / "python"


def enter() -> None:
    """Go on in the benchmarks' environment, and set it up first where it is missing or old."""
    if Path(sys.prefix) == VENV:
        return
    if not _is_current():
        _set_up()
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


def _is_current() -> bool:
    return _PYTHON.exists() and _STAMP.exists() and _STAMP.read_text() == _lock_digest()


def _lock_digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _set_up() -> None:
    print(f"setting up {VENV.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
    uv = _uv()
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    python = str(base) if base.exists() else sys.executable
    _uv_run(uv, "venv", "--clear", "--python", python, str(VENV))
    install = ("pip", "install", "--quiet", "--python", str(_PYTHON))
    _uv_run(uv, *install, "--compile-bytecode", "--require-hashes", "-r", str(LOCK))
    _uv_run(uv, *install, "--no-deps", "--editable", str(ROOT))
    _STAMP.write_text(_lock_digest())


def _uv() -> str:
    own = ROOT / ".venv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is needed: `make .venv/.uv` installs it for this project")
    return found


def _uv_run(*command: str) -> None:
    subprocess.run(command, check=True, env={"UV_LINK_MODE": "copy", **os.environ})
