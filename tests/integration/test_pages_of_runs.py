"""What pages show of experiments that ran, and what they offer to do with them."""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import Project
from tests.pages import Browser


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
    go_on(block(browser.get(f"{at}/about").text, 'id="go-on"'), train, options)
    (record,) = records_of(Project(project)).values()
    assert (record["attempt"], record["trials_succeeded"], record["trials_failed"]) == (2, 3, 0)


def searches():
    """Name of each verb to a call of it, with trials that fail as long as they are to."""
    aim = {"optimization_key": "loss", "direction": "MIN", "seed": 3}
    space = {"x": [1.0, 4.0]}
    return {
        "launch": lambda f, **more: experiment.launch(f, {"x": [1, 4]}, **more),
        "grid_search": lambda f, **more: experiment.grid_search(f, {"x": [1, 4]}, **aim, **more),
        "random_search": lambda f, **more: experiment.random_search(
            f, space, samples=6, **aim, **more
        ),
        "differential_evolution": lambda f, **more: experiment.differential_evolution(
            f, space, generations=1, population=4, **aim, **more
        ),
        "optimize": lambda f, **more: experiment.optimize(
            f, {"x": [3, 9]}, num_trials=4, optimizer="random", **aim, **more
        ),
    }


@pytest.mark.parametrize("verb", searches())
def test_the_call_of_each_verb_runs_failed_trials_again(options, tmp_path, project, verb):
    broken = tmp_path / "broken"
    broken.touch()

    def train(x):
        if x > 2 and broken.exists():
            raise ValueError(f"x is {x}")
        return {"loss": x}

    with suppress(ExperimentFailedError):  # all trials of the asynchronous search fail
        searches()[verb](train, **options)
    ((name, record),) = records_of(Project(project)).items()
    assert record["trials_failed"] > 0
    browser = Browser(experiments_app(Project(project)))

    broken.unlink()
    go_on(block(browser.get(f"/experiments/{name}/about").text, 'id="go-on"'), train, options)
    (record,) = records_of(Project(project)).values()
    assert (record["function"], record["state"], record["attempt"]) == (verb, "FINISHED", 2)
    assert (record["trials_failed"], record["trials_succeeded"]) == (0, record["trials_total"])


def go_on(call, train, options):
    """Make the call that a page shows, on the cluster that it says to pass."""
    cluster = options["cluster"]
    assert f"# It ran on the cluster {cluster!r}: pass cluster= as before." in call.splitlines()
    more = f"    cluster={cluster!r},\n    progress=False,\n    resume="
    exec(call.replace("    resume=", more), {"train": train})
