from __future__ import annotations

import pytest

from hopsml_flows.driver.page_links import page_links
from hopsml_flows.flows.launch import launch
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.trials import PageLink


def train():
    return 1


PATHS = ExperimentPaths("digits 1")


@pytest.mark.parametrize(
    ("project", "page"),
    [
        (
            "webhdfs://ada@node:9870/Projects/a",
            "http://node:9870/explorer.html#/Projects/a/Experiments/digits%201",
        ),
        ("webhdfs://node:9870/p", "http://node:9870/explorer.html#/p/Experiments/digits%201"),
        ("s3://bucket/a", None),
        ("/tmp/a", None),
    ],
)
def test_a_project_directory_has_a_link_where_its_storage_has_a_page(project, page):
    plan = launch.plan(train, project=project)
    links = page_links(plan, PATHS, None)  # outside of a flow run, Prefect has no page of it
    assert links == ([PageLink("Project directory", page)] if page else [])


def test_the_link_to_tensorboard_ends_with_the_experiment():
    links = page_links(launch.plan(train, project="/tmp/a"), PATHS, "http://127.0.0.1:6006")
    assert links == [PageLink("TensorBoard", "http://127.0.0.1:6006", lasts=False)]
