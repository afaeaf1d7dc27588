"""Whatever lies in an experiment's record, summary and journal, every page answers."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import Failure, State
from tests.pages import Browser
from tests.property.test_damaged_experiments import BAD, GOOD, mutated_bytes, mutated_json
from tests.written import over, result

PAGES = (
    "/",
    "/?fold=1&sort=metric",
    f"/experiments/{BAD}",
    f"/experiments/{BAD}?sort=params.lr&order=desc",
    f"/experiments/{BAD}/plots.json",
    f"/experiments/{BAD}/about",
    f"/experiments/{BAD}/trials.csv",
    f"/experiments/{BAD}/trials/1",
    f"/experiments/{BAD}/trials/3",
    f"/compare?e={BAD}&e={GOOD}&e={BAD}:1",
)


@pytest.fixture(scope="module")
def filled():
    directory = Path(tempfile.mkdtemp(prefix="hopsml-damaged-"))
    project = Project(directory / "project")
    trials = [
        *(result(n, {"lr": n / 10, "opt": "adam"}, n / 10) for n in (1, 2)),
        result(3, {"lr": 0.9}, state=State.FAILED, failure=Failure("ValueError", "too large")),
    ]
    for name in (GOOD, BAD):
        paths = over(
            project, name, trials, tags=("a",), options={"seed": 1, "optimizer": {"name": "x"}},
            search_space={"lr": {"kind": "float", "low": 0.1, "high": 1.0}},
        )  # fmt: skip
    yield project, paths
    shutil.rmtree(directory)


@settings(max_examples=100)
@given(data=st.data())
def test_every_page_answers_whatever_the_files_of_an_experiment_are(filled, data):
    check_pages(*filled, data)


@pytest.mark.slow
@settings(max_examples=1000)
@given(data=st.data())
def test_every_page_answers_for_a_thousand_mutations(filled, data):
    check_pages(*filled, data, always=True)


def check_pages(project, paths, data, *, always=False):
    """Ask for all pages of an experiment whose files are mutated.

    Args:
        project: The project.
        paths: Paths of the experiment.
        data: Draws the mutations.
        always: Whether its record is mutated in every example.
    """
    good = ExperimentPaths(GOOD)
    for path, whole in ((paths.record, good.record), (paths.summary, good.summary)):
        text = project.read(whole).replace(GOOD.encode(), BAD.encode())
        kinds = ["bytes", "json"] if always and path == paths.record else ["same", "bytes", "json"]
        kind = data.draw(st.sampled_from(kinds), label=path)
        if kind == "bytes":
            text = data.draw(mutated_bytes(text))
        elif kind == "json":
            text = data.draw(mutated_json(json.loads(text)))
        project.replace(path, text)
    browser = Browser(experiments_app(project))
    for path in PAGES:
        answer = browser.get(path)
        # A trial may not be there any more, or its number not be known.
        allowed = (200, 404) if "/trials/" in path else (200,)
        assert answer.status_code in allowed, (path, answer.text)
    answer = browser.get("/")
    assert GOOD in answer.text
    assert BAD in answer.text
