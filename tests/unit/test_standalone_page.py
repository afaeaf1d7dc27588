from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from hopsml_flows.cli import main
from hopsml_flows.service.web.standalone import standalone_page
from hopsml_flows.storage import Project
from hopsml_flows.trials import Failure, State
from tests.written import CONFIRMATION, PROMOTION, over, result

NEW = "digits-20240301-120000-bbbbbb"
OLD = "digits-20240101-120000-aaaaaa"
HTML = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_the_page_has_the_trials_and_the_data_of_plots(project):
    failure = Failure("ValueError", "no")
    failed = result(2, {"x": 2}, state=State.FAILED, failure=failure)
    trials = [result(1, {"x": 1, "y": "a"}, 0.5), failed]
    over(project, NEW, trials, best_trial=trials[0].name, note="the one")
    text = standalone_page(project, NEW, 0.0)
    data = json.loads(re.search(r'id="plots-data">(.*?)</script>', text)[1])
    assert (data["number"], data["metric"]) == ([1, 2], [0.5, None])
    assert [column["values"] for column in data["params"]] == [[1, 2], ["a", None]]
    for shown in ("ValueError: no", "the one", "maximize accuracy"):
        assert shown in text


def test_the_page_has_what_fresh_seeds_say_of_the_winner(project):
    told = {"confirmation": CONFIRMATION, "promotion": {**PROMOTION, "why": "it is <i>luck</i>"}}
    over(project, NEW, [result(1, {"x": 1}, 0.98)], **told)
    text = standalone_page(project, NEW, 0.0)
    for shown in ("Confirmed accuracy", "0.625", "Champion, version 4", "Not promoted: digits-net"):
        assert shown in text
    assert "<i>luck" not in text


def test_the_page_needs_nothing_else_and_runs_only_its_own_scripts(project):
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    text = standalone_page(project, NEW, 0.0)
    assert not re.search(r"<link|<script[^>]*\ssrc|<img|\son\w+=|\sstyle=|url\(|@import", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    scripts = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    assert len(scripts) == 2
    for script in [*scripts, re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]]:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_html_in_an_experiment_is_text_in_the_page(project):
    trials = [result(1, {HTML: HTML}, 0.5, outputs={HTML: HTML, "accuracy": 0.5})]
    over(
        project, NEW, trials, name=HTML, note=HTML, optimization_key=HTML, search_space={HTML: HTML}
    )
    text = standalone_page(project, NEW, 0.0)
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_a_thousand_trials_take_less_than_a_megabyte(project):
    trials = [
        result(n, {"learning_rate": n / 7e4, "layers": n % 5, "optimizer": "adam"}, n / 1001)
        for n in range(1, 1001)
    ]
    over(project, NEW, trials)
    assert len(standalone_page(project, NEW, 0.0).encode()) < 1_000_000


@pytest.mark.parametrize("content", [b"", b"half a rec", b"[]"])
def test_a_damaged_experiment_has_a_page_that_says_so(project, content):
    paths = over(project, NEW, [result(1, {"x": 1}, 0.5)])
    project.replace(paths.record, content)
    assert "The record is no record" in standalone_page(project, NEW, 0.0)


def test_the_command_writes_the_page_of_one_experiment(project, tmp_path, capsys):
    over(project, OLD, [result(1, {"x": 1}, 0.5)])
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    file = tmp_path / "page.html"
    with pytest.raises(SystemExit) as ended:
        main(["export", NEW, "--html", "-o", str(file), "--project", project.url])
    assert not ended.value.code
    assert NEW in file.read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["export", NEW, OLD, "--html", "--project", project.url])
    assert ended.value.code == 2
    assert "must be one experiment for --html" in capsys.readouterr().err
