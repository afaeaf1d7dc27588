"""Finds the program that runs an experiment: a notebook, a script, or the function's file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from hopsml_flows.tracking.versions.notebook import (
    executed_cells,
    notebook_program,
    open_notebook,
)

__all__ = ["Program", "find_program"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program.

    Args:
        content: The content of its file.
        suffix: ``.ipynb`` or ``.py``.
        file: Its file; None where it was typed.
        is_script: Whether it was started, rather than imported for its training function.
    """

    content: bytes
    suffix: str
    file: Path | None = None
    is_script: bool = False


def find_program(train_file: Path | None) -> Program | None:
    """Return the program that runs the experiment.

    Args:
        train_file: File of the training function, or None.

    Returns:
        None if there is no program to keep.
    """
    if (notebook := open_notebook()) is not None:
        return Program(notebook_program(notebook, executed_cells()), ".ipynb", notebook)
    if any(cells := executed_cells()):
        if _is_kernel():
            return Program(notebook_program(None, cells), ".ipynb")
        return Program(("\n\n".join(filter(None, cells)) + "\n").encode(), ".py")
    if (script := _script()) is not None:
        return Program(script.read_bytes(), ".py", script, is_script=True)
    if train_file is not None:
        return Program(train_file.read_bytes(), ".py", train_file)
    return None


def _is_kernel() -> bool:
    """Whether this process is Jupyter's, rather than IPython in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _script() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file:
        return None
    path = Path(file)
    installed = Path(sys.prefix).resolve() in path.resolve().parents
    if path.suffix != ".py" or installed or not path.is_file():
        return None  # a console command, such as pytest or a Prefect worker
    return path
