"""When pages look at a project's models again."""

from __future__ import annotations

import pytest

from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.model_files import local_files
from hopsml_flows.service.web.models_seen import ModelsSeen
from hopsml_flows.storage import Project


class Slow(Project):
    """A project in which a listing takes some seconds of a clock of its own."""

    now, seconds, listings, error = 0.0, 0.0, 0, None

    def entries(self, path=""):
        if path == "Models":
            self.now += self.seconds
            self.listings += 1
            if self.error is not None:
                raise self.error
        return super().entries(path)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "weights").write_bytes(b"0.5")
    found = Slow(tmp_path / "project")
    export_version(found, "digits", local_files(tmp_path / "weights"), Details())
    found.listings = 0
    return found


def looked(project, seen):
    """How often the project was listed for a page that waits."""
    before = project.listings
    told = seen.look(whole=True)
    return project.listings - before, told


def test_after_a_look_that_failed_the_next_one_comes_soon(project):
    seen = ModelsSeen(project, lambda: project.now)
    _, first = looked(project, seen)
    project.now += 60.0
    project.seconds, project.error = 90.0, PermissionError("not now")
    _, failed = looked(project, seen)
    assert failed.problem
    assert failed.records == first.records != ()
    project.seconds, project.error = 0.0, None
    project.now += 1.5
    assert looked(project, seen)[0] == 0
    project.now += 1.0
    count, told = looked(project, seen)
    assert (count, told.problem) == (1, "")


@pytest.mark.parametrize(("seconds", "pause"), [(0.0, 2.0), (1.0, 20.0), (90.0, 300.0)])
def test_slow_looks_are_rare_but_come(project, seconds, pause):
    seen = ModelsSeen(project, lambda: project.now)
    project.seconds = seconds
    assert looked(project, seen)[0] == 1
    project.now += pause - 0.5
    assert looked(project, seen)[0] == 0
    project.now += 1.0
    assert looked(project, seen)[0] == 1
