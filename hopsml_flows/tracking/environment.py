"""Capture what ran: the program and the installed packages."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["environment_text", "find_program"]


def environment_text() -> str:
    """Return a requirements file of this environment, which pip can install from.

    Comments name Python's version and the platform. Each installed package is one line.
    """
    lines = [
        f"# Python {platform.python_version()} ({sys.implementation.name})",
        f"# {platform.platform()}",
    ]
    found = {}
    for distribution in metadata.distributions():
        name, version = _named(distribution)
        if name:
            found[name.lower()] = f"{name}=={version}"
    lines += [found[name] for name in sorted(found)]
    return "\n".join(lines) + "\n"


def _named(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return a distribution's name and version, without parsing the rest of its long metadata."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    header = text.partition("\n\n")[0]
    fields = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
    return fields.get("Name", ""), fields.get("Version", "")


def find_program(train_file: Path | None) -> tuple[bytes, str] | None:
    """Return the program that runs the experiment: notebook, script, or the function's file.

    Args:
        train_file: File of the training function, or None.

    Returns:
        Content and suffix (``.ipynb`` or ``.py``), or None if there is no program to version.
    """
    for find in (_notebook, _notebook_cells, _script):
        program = find()
        if program is not None:
            return program
    if train_file is not None:
        return train_file.read_bytes(), ".py"
    return None


def _notebook() -> tuple[bytes, str] | None:
    # Jupyter names the open notebook in the environment, VS Code in the namespace.
    main = sys.modules.get("__main__")
    for name in (os.environ.get("JPY_SESSION_NAME"), getattr(main, "__vsc_ipynb_file__", None)):
        if name and name.endswith(".ipynb"):
            path = Path(name)
            if path.is_file() and _is_notebook(path):
                return path.read_bytes(), ".ipynb"
    return None


def _notebook_cells() -> tuple[bytes, str] | None:
    """Return the cells run so far, for a notebook whose file cannot be found."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    cells = [cell for cell in shell.user_ns.get("In", []) if cell]
    return ("\n\n".join(cells) + "\n").encode(), ".py"


def _script() -> tuple[bytes, str] | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file:
        return None
    path = Path(file)
    installed = Path(sys.prefix).resolve() in path.resolve().parents
    if path.suffix != ".py" or installed or not path.is_file():
        return None  # a console command, such as pytest or a Prefect worker
    return path.read_bytes(), ".py"


def _is_notebook(path: Path) -> bool:
    try:
        return "cells" in json.loads(path.read_text())
    except ValueError:
        return False
