"""The notebook that an experiment was started from, with the cells that were executed.

The notebook's file has the cells as they were last saved, in the order of the page. What ran may be
something else: cells that were executed twice, changed or removed since. The kernel knows it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["LARGEST_NOTEBOOK", "executed_cells", "notebook_program", "open_notebook"]

LARGEST_NOTEBOOK = 8 << 20
"""Bytes beyond which a notebook is kept without what its cells have shown."""

_KEY = "hopsml"
"""Key of this project's part of a notebook's metadata."""


def open_notebook() -> Path | None:
    """Return the file of the notebook that this process is the kernel of; None if it has none."""
    # Jupyter names the open notebook in the environment, VS Code in the namespace.
    main = sys.modules.get("__main__")
    for name in (os.environ.get("JPY_SESSION_NAME"), getattr(main, "__vsc_ipynb_file__", None)):
        if name and name.endswith(".ipynb"):
            path = Path(name)
            if path.is_file() and _cells_of(_loaded(path.read_bytes())) is not None:
                return path
    return None


def executed_cells() -> list[str]:
    """Return the cells that were executed in this process, in order; none outside of IPython."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return []
    # As they were typed, with their magics: "In" has what these were translated to.
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None)
    return [str(cell) for cell in (history or shell.user_ns.get("In", []))][1:]


def notebook_program(path: Path | None, executed: Sequence[str]) -> bytes:
    """Return a notebook with the cells that were executed in its metadata.

    Args:
        path: The notebook's file; None to make a notebook of the executed cells.
        executed: The cells that were executed, in order.
    """
    content = b"" if path is None else path.read_bytes()
    notebook = _made_of(executed) if path is None else _loaded(content)
    is_large = len(content) > LARGEST_NOTEBOOK
    if not executed and not is_large:
        return content or _text(notebook)
    if is_large:
        for cell in _cells_of(notebook) or ():
            if isinstance(cell, dict) and "outputs" in cell:
                cell["outputs"] = []
    metadata = notebook.setdefault("metadata", {})
    if isinstance(metadata, dict):
        metadata[_KEY] = {
            "executed": [
                {"execution_count": count, "source": source}
                for count, source in enumerate(executed, start=1)
                if source
            ],
            **({"outputs": "left out"} if is_large else {}),
        }
    return _text(notebook)


def _made_of(executed: Sequence[str]) -> dict[str, Any]:
    cells = [
        {
            "cell_type": "code",
            "execution_count": count,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for count, source in enumerate(executed, start=1)
        if source
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def _text(notebook: Any) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode(errors="replace")


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _cells_of(notebook: Any) -> list[Any] | None:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    return cells if isinstance(cells, list) else None
