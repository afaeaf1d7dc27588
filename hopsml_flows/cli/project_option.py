"""The project that a subcommand looks at.

A saved block is on a Prefect server, which is imported and asked only then.
"""

from __future__ import annotations

from hopsml_flows.storage import Project, block_name

__all__ = ["opened"]


def opened(text: str | None) -> Project:
    """The project that the option ``--project`` names, which must be reachable.

    Args:
        text: A local path, a URL or ``block:NAME``; None for the default project.

    Raises:
        InvalidProjectError: It is none of these, or cannot be reached.
    """
    if block_name(text) is None:
        project = Project(text)
    else:
        from hopsml_flows.server.project_block import saved_project

        project = saved_project(text)
    project.check_reachable()
    return project
