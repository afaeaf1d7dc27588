"""What pages show of experiments that ran, and what they offer to do with them."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import Project
from tests.pages import Browser

NET = """
from pathlib import Path

def train(x):
    if x > 2 and Path("broken").exists():
        raise ValueError(f"x is {x}")
    return {"loss": x}
"""
FIRST = """
from hopsml_flows import experiment
from net import train

if __name__ == "__main__":
    more = {"progress": False, "seed": 3, "name": "run", "project": "project"}
    aim = {"optimization_key": "loss", "direction": "MIN"}
    experiment.launch(train, {"x": [1, 4]}, **more)
    experiment.grid_search(train, {"x": [1, 2, 3]}, **aim, **more)
    experiment.random_search(train, {"x": [1.0, 4.0]}, samples=6, **aim, **more)
    experiment.differential_evolution(
        train, {"x": [1.0, 4.0]}, generations=1, population=4, **aim, **more
    )
    try:
        experiment.optimize(train, {"x": [3, 9]}, num_trials=4, optimizer="random", **aim, **more)
    except Exception as error:
        print(type(error).__name__)
"""


def block(text, opening):
    part = text.partition(opening)[2]
    return html.unescape(re.search(r"<pre[^>]*>(.*?)</pre>", part, re.DOTALL)[1])


def records_of(project):
    return {
        path.parent.name: json.loads(path.read_text())
        for path in Path(project.url, "Experiments").glob("*/experiment.json")
    }


def test_a_run_has_its_attempts_its_traceback_and_a_call_that_goes_on(options, tmp_path, project):
    broken, died = tmp_path / "broken", tmp_path / "died"
    broken.touch()

    def train(x):
        import os
        import signal

        if x == 1 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if x == 3 and broken.exists():
            try:
                {}["rate"]
            except KeyError as error:
                raise ValueError(f"x is {x}") from error
        return x

    result = experiment.grid_search(train, {"x": [1, 2, 3]}, **options)
    browser = Browser(experiments_app(Project(project)))
    at = f"/experiments/{result.id}"
    attempts = browser.get(f"{at}/trials/1").text.partition('id="attempts"')[2]
    attempts = attempts.partition("</tbody>")[0]
    assert "its process was ended by signal 9 (SIGKILL)" in attempts
    assert "<td>finished</td>" in attempts
    assert attempts.count("<td>tcp://") == 2
    traceback = block(browser.get(f"{at}/trials/3").text, 'id="traceback"')
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert "KeyError: 'rate'" in traceback
    assert traceback.endswith("\nValueError: x is 3")

    (record,) = records_of(Project(project)).values()
    assert record["flow_run_page"].endswith(f"/runs/flow-run/{record['flow_run_id']}")
    assert f'href="{record["flow_run_page"]}"' in browser.get(at).text

    broken.unlink()
    call = block(browser.get(f"{at}/about").text, 'id="go-on"')
    exec(call, {"train": train})
    (record,) = records_of(Project(project)).values()
    assert (record["attempt"], record["trials_succeeded"], record["trials_failed"]) == (2, 3, 0)


@pytest.mark.slow
def test_the_call_of_each_verb_runs_failed_trials_again(run_script, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "broken").touch()
    run_script(FIRST, timeout=900)
    project = Project(tmp_path / "project")
    browser = Browser(experiments_app(project))
    calls = [
        block(browser.get(f"/experiments/{name}/about").text, 'id="go-on"')
        for name in records_of(project)
    ]
    assert len(calls) == 5

    (tmp_path / "broken").unlink()
    body = "\n".join(calls).replace("\n", "\n    ")
    run_script(f"if __name__ == '__main__':\n    {body}\n", timeout=900)
    for record in records_of(project).values():
        assert record["flow_run_page"] is None  # its embedded server is gone
        assert (record["state"], record["attempt"]) == ("FINISHED", 2)
        assert (record["trials_failed"], record["trials_succeeded"]) == (0, record["trials_total"])
