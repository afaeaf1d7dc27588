"""List the experiments of a project. Costs one request and reads no file."""

from __future__ import annotations

from hopsml_flows.storage import EXPERIMENTS, Project
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.trials import stamp_of

__all__ = ["experiments"]


def experiments(project: Project) -> list[str]:
    """Return the identifiers of a project's experiments, sorted by their start.

    Waits while storage is unavailable for a time.

    Args:
        project: The project.
    """
    entries = persistently(lambda: project.entries(EXPERIMENTS), limit=answer_limit(project))
    found = [
        (stamp, name)
        for entry in entries
        if (stamp := stamp_of(name := entry.name.rpartition("/")[2])) and entry.is_directory
    ]
    return [name for _, name in sorted(found)]
