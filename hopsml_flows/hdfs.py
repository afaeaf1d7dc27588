"""File operations on the project, named as in ``hops.hdfs``; works inside trials and in scripts.

Inside a trial the project is the experiment's; elsewhere it is the default one
(``HOPSML_PROJECT``, Hopsworks' own, or ``./hopsml_project``).
"""

from __future__ import annotations

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution import current_trial
from hopsml_flows.storage import Project

__all__ = ["project_name", "project_path"]


def project_path() -> str:
    """Root of the project, ending with ``/``.

    Returns:
        An absolute path where the project is local, an fsspec URL elsewhere.
    """
    url = _project().url
    return url if url.endswith("/") else f"{url}/"


def project_name() -> str:
    """Name of the project: the last part of its root."""
    return _project().name


def _project() -> Project:
    try:
        return current_trial().project
    except NotInTrialError:
        return Project()
