"""Runs a request in a process of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import hopsml_tasks
from hopsml_flows.errors import HopsmlError, SavedEnvironmentError
from hopsml_flows.rerun.child import ANSWER, REQUEST, Answer
from hopsml_flows.rerun.request import Request

__all__ = ["run_request"]

_OWN = (Path(__file__).parents[1], Path(str(hopsml_tasks.__file__)).parent)
"""Packages that the process needs in this version, whatever its environment has."""

_STANDARD_ERROR = 2


def run_request(request: Request, python: str | None, *, quiet: bool) -> Answer:
    """Run what is asked for, in a fresh process.

    Args:
        request: What is run again.
        python: The interpreter of another environment; None for that of this process.
        quiet: Whether standard output is only for the caller: what the process prints goes to
            standard error.

    Returns:
        What came of it.

    Raises:
        HopsmlError: What the process raised, or that it died.
        KeyboardInterrupt: It was interrupted; the process has ended.
    """
    with tempfile.TemporaryDirectory(prefix="hopsml-rerun-") as name:
        directory = Path(name)
        (directory / REQUEST).write_bytes(pickle.dumps(request))
        environment = {**os.environ, "PYTHONPATH": _path(directory, python)}
        command = [python or sys.executable, "-P", "-m", "hopsml_flows.rerun.child", name]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=_STANDARD_ERROR if quiet else None,
            env=environment,
        ) as process:
            try:
                process.wait()
            except KeyboardInterrupt:  # of the terminal, which the process has got, too
                process.wait()
                raise
        answer = directory / ANSWER
        if not answer.is_file():
            kind = HopsmlError if python is None else SavedEnvironmentError
            where = "" if python is None else " in the saved environment"
            raise kind(
                f"the process that ran {request.experiment} again{where} ended with code "
                f"{process.returncode}; what it has printed says why"
            )
        came: Answer = pickle.loads(answer.read_bytes())
    if came.error is not None:
        raise came.error
    return came


def _path(directory: Path, python: str | None) -> str:
    """Where the process finds this package, and what the caller's processes find."""
    if python is not None:
        # Nothing else of this environment: only links to the packages lie there.
        own = directory / "own"
        own.mkdir()
        for package in _OWN:
            (own / package.name).symlink_to(package.resolve())
        return str(own)
    kept = os.environ.get("PYTHONPATH")
    roots = [str(package.parent) for package in _OWN]
    return os.pathsep.join(dict.fromkeys([*roots, *(kept.split(os.pathsep) if kept else ())]))
