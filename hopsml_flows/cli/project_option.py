"""The option ``--project`` of the subcommands."""

from __future__ import annotations

from hopsml_flows.storage import Project, block_name

__all__ = ["open_project"]


def open_project(text: str | None) -> Project:
    """Return the project that ``--project`` names, after checking that it can be reached.

    Args:
        text: A local path, a URL or ``block:NAME``; None for the default project.

    Raises:
        InvalidProjectError: The text names no project, or the project cannot be reached.
    """
    if block_name(text) is None:
        project = Project(text)
    else:
        # Imports Prefect, and asks its server.
        from hopsml_flows.server.project_block import saved_project

        project = saved_project(text)
    project.check_reachable()
    return project
