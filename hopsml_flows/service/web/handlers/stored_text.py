"""Texts that an experiment keeps: its program, the list of its packages, its effects."""

from __future__ import annotations

import json
from typing import Any

from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.service.stored_findings import is_study
from hopsml_flows.service.web.project_files import file_info, file_part
from hopsml_flows.storage import ExperimentFiles, ExperimentPaths, Project
from hopsml_flows.text import readable

__all__ = ["effects_text", "program_text", "stored_text"]

_MOST = 1 << 20
"""Most bytes of a text that a page shows."""


def stored_text(project: Project, path: str) -> str | None:
    """Return a text; None if there is none.

    Args:
        project: The project.
        path: The file in the project.
    """
    try:
        info = file_info(project, path)
        content = file_part(project, path, 0, min(info.size, _MOST))
    except FileNotFoundError:
        return None
    more = "" if info.size <= _MOST else "\n… (cut)"
    return readable(content.decode(errors="backslashreplace")) + more


def effects_text(project: Project, entry: ExperimentEntry) -> str | None:
    """Return what an ablation study found, as its file says; None of any other experiment.

    Args:
        project: The project.
        entry: The experiment.
    """
    if not is_study(entry.record):
        return None
    return stored_text(project, ExperimentPaths(entry.id).effects)


def program_text(project: Project, entry: ExperimentEntry) -> tuple[str, str | None]:
    """Return the name and the text of an experiment's program; of a notebook the code.

    Args:
        project: The project.
        entry: The experiment.
    """
    paths = ExperimentPaths(entry.id)
    recorded = entry.record.program if entry.record else None
    # The record says which of the two there is; any other path in it is not followed.
    suffixes = (".ipynb", ".py") if (recorded or "").endswith(".ipynb") else (".py", ".ipynb")
    for suffix in suffixes:
        text = stored_text(project, paths.program(suffix))
        if text is not None and suffix == ".ipynb":
            return ExperimentFiles.NOTEBOOK, _code_of(text)
        if text is not None:
            return ExperimentFiles.PROGRAM, text
    return "", None


def _code_of(text: str) -> str:
    """The code cells of a notebook, or the text if it is no notebook."""
    try:
        cells: Any = json.loads(text)["cells"]
        code = [c["source"] for c in cells if c["cell_type"] == "code"]
        return "\n\n".join(each if isinstance(each, str) else "".join(each) for each in code)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
