"""Which experiments a project has: one listing, no file is read."""

from __future__ import annotations

from hopsml_flows.storage import EXPERIMENTS, Project
from hopsml_flows.trials import stamp_of

__all__ = ["experiments"]


def experiments(project: Project) -> list[str]:
    """Identifiers of a project's experiments, those started first at the front.

    Args:
        project: The project.
    """
    found = [
        (stamp, name)
        for entry in project.entries(EXPERIMENTS)
        if (stamp := stamp_of(name := entry.name.rpartition("/")[2])) and entry.is_directory
    ]
    return [name for _, name in sorted(found)]
