"""Pages are read while several experiments write their files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hopsml_flows.service import ExperimentState, find_stored
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import Project
from tests.pages import Browser
from tests.servers import s3
from tests.waiting import wait_until

WRITER = """
import select, sys, time
from hopsml_flows.storage import ExperimentPaths, Project, this_process
from hopsml_flows.tracking import ExperimentRecord, RecordFile
from hopsml_flows.tracking.summary import Summary
from hopsml_flows.trials import State, TrialResult, trial_name

project, name, trials = Project(sys.argv[1]), sys.argv[2], int(sys.argv[3])
paths = ExperimentPaths(name)
project.make_directory(paths.root)
file = RecordFile(project, paths, ExperimentRecord(
    id=name, name="written", project=project.name, function="grid_search", train="m:f",
    experiment_type="PARALLEL_EXPERIMENTS", direction="MAX", optimization_key="y",
    trials_total=trials, driver=this_process(),
))
summary = Summary(project, paths)
file.write()
for number in range(1, trials + 1):
    params = {"x": number}
    directory = trial_name(number, params)
    project.make_directory(paths.trial(directory))
    project.replace(paths.trial(directory, "output.log"), f"trial {number}\\n" * number)
    result = TrialResult(number, directory, params, State.FINISHED, number / 10,
                         {"y": number / 10}, directory, 1, time.time() - 1, time.time())
    summary.add(result, write=False)
    summary.write()
    file.write(trials_succeeded=number, metric=number / 10)
while not select.select([sys.stdin], [], [], 0.01)[0]:  # until the test has seen enough
    project.replace(paths.summary, project.read(paths.summary))
    file.write()
file.finish(State.FINISHED)
"""


@pytest.fixture(params=["local", "s3"])
def project(request, monkeypatch, tmp_path):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    if request.param == "local":
        return Project(tmp_path / "project")
    server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Project(s3.new_url())


def test_every_page_answers_while_four_experiments_write(project):
    names = [f"written-20260101-12000{n}-aaaaaa" for n in range(4)]
    browser = Browser(experiments_app(project))
    writers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WRITER, project.url, name, "40"], stdin=subprocess.PIPE
        )
        for name in names
    }
    waited_for = {
        (name, page) for name in names for page in ("", "/plots.json", "/trials/3", "/trials/40")
    }

    def all_have_answered():
        for path in ("/", "/?fold=1"):
            assert browser.get(path).status_code == 200
        for name, page in sorted(waited_for):
            answer = browser.get(f"/experiments/{name}{page}")
            assert answer.status_code in (200, 404), answer.text
            runs = writers[name].poll() is None
            assert runs
            if answer.status_code == 200:
                waited_for.discard((name, page))
        return not waited_for

    try:
        wait_until(all_have_answered, 180, "an answer of each page while its writer wrote")
        running = browser.get("/").text.count("state running")
        for writer in writers.values():
            writer.stdin.close()
        assert [writer.wait(120) for writer in writers.values()] == [0] * 4
        assert running == 4
    finally:
        for writer in writers.values():
            writer.kill()
            writer.wait()
    for name in names:
        stored = find_stored(project, name)
        assert (stored.state, len(stored.trials)) == (ExperimentState.FINISHED, 40)

    def caught_up():
        page = browser.get("/").text
        return page.count("state finished") == 4 and page.count('40<span class="dim"> / 40') == 4

    wait_until(caught_up, 120, "the last look")
