from __future__ import annotations

from uuid import uuid4

import pytest

from hopsml_flows.storage import Project


@pytest.fixture(autouse=True)
def no_project_in_the_environment(monkeypatch):
    for name in ("HOPSML_PROJECT", "LIBHDFS_DEFAULT_FS", "HOPSWORKS_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


@pytest.fixture
def memory_project():
    return Project(f"memory://{uuid4().hex}/project")


@pytest.fixture
def browser(project):
    """Asks the Experiments service of the project, without a network."""
    from hopsml_flows.service.web import experiments_app
    from tests.pages import Browser

    return Browser(experiments_app(project))
