"""How to go on with an experiment, as its page says it."""

from __future__ import annotations

import html
import re

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.storage import ExperimentPaths, Project, this_process
from hopsml_flows.trials import Failure, State
from tests.written import CONFIRMATION, ID, WrittenExperiment, over, result

NEW = "digits-20240301-120000-bbbbbb"
GOOD = result(1, {"x": 1}, 0.5)
BAD = result(2, {"x": 2}, state=State.FAILED, failure=Failure("ValueError", "no"))


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "pro'ject")


def said(browser, name=NEW):
    """What an experiment's details say: the heading, the words and the call; None for nothing."""
    text = browser.get(f"/experiments/{name}/about").text
    part = text.partition('id="go-on"')[2].partition("</section>")[0]
    if not part:
        return None
    call = re.search(r"<pre[^>]*>(.*?)</pre>", part, re.DOTALL)
    found = (re.search(r"<h2>(.*?)</h2>", part)[1], re.search(r"<p>(.*?)</p>", part)[1])
    return *map(html.unescape, found), html.unescape(call[1]) if call else ""


def test_an_experiment_with_nothing_left_offers_nothing(project, browser):
    over(project, NEW, [GOOD])
    assert said(browser) is None
    assert "about#go-on" not in browser.get(f"/experiments/{NEW}").text


def test_an_experiment_that_runs_offers_nothing(project, browser):
    WrittenExperiment(project, 3).write(trials_failed=1)
    assert said(browser, ID) is None


def test_failed_trials_can_run_again(project, browser):
    over(project, NEW, [GOOD, BAD], search_space={"x": [1, 2]}, train="digits.net:train")
    title, words, call = said(browser)
    assert title == "Run failed trials again"
    assert words == "This runs 1 failed trial again, and no other."
    assert call == (
        "from hopsml_flows import experiment\n"
        "from digits.net import train\n"
        "\n"
        "experiment.grid_search(\n"
        "    train,\n"
        "    {'x': [1, 2]},\n"
        "    optimization_key='accuracy',\n"
        f"    project={project.url!r},\n"
        f'    resume="{NEW}",\n'
        ")"
    )
    compile(call, "call", "exec")
    assert f"{NEW}/about#go-on" in browser.get(f"/experiments/{NEW}").text


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ({"isolation": "process"}, True), ({"isolation": "worker"}, False), ({"retries": 3}, True),
        ({"confirm": 5}, True), ({"only_if_better": "net"}, True),
        ({"seed_trials": False}, True), ({"seed_trials": True}, False),
    ],
)  # fmt: skip
def test_the_call_has_the_options_that_are_not_the_usual_ones(project, browser, options, is_said):
    over(project, NEW, [GOOD, BAD], search_space={"x": [1, 2]}, options=options)
    ((name, value),) = options.items()
    assert (f"    {name}={value!r},\n" in said(browser)[2]) is is_said


def test_the_call_has_each_option_that_the_record_of_a_search_keeps(project, browser):
    unusual = {
        "seed_trials": False, "retries": 3, "trial_timeout": 9.0, "local_logdir": True,
        "keep_files": ["*.pt"], "isolation": "process", "confirm": 3, "only_if_better": "net",
        "approve": True,
    }  # fmt: skip
    plan = experiment.grid_search.plan(lambda x: x, {"x": [1]}, project=project.url, **unusual)
    kept = record_file(plan, ExperimentPaths(NEW)).record.options
    over(project, NEW, [GOOD, BAD], search_space={"x": [1, 2]}, options=kept)
    call = said(browser)[2]
    by_itself = {"seed", "cluster"}  # resuming takes the seed from the record
    assert [name for name in kept if f"    {name}=" not in call and name not in by_itself] == []
    assert set(unusual) <= set(kept)


@pytest.mark.parametrize("state", [State.KILLED, State.FAILED])
def test_an_experiment_that_was_interrupted_can_go_on(project, browser, state):
    over(project, NEW, [GOOD], state=state, trials_total=8)
    title, words, _ = said(browser)
    assert title == "Go on"
    assert words == "It ended after 1 of 8 trials. This runs those that are missing."


def test_an_experiment_whose_driver_is_gone_can_go_on_with_its_failed_trials(project, browser):
    gone = {**this_process(), "pid": 2**22 + 1}
    over(project, NEW, [GOOD, BAD], state=State.RUNNING, trials_total=8, driver=gone)
    title, words, _ = said(browser)
    assert title == "Go on"
    assert words.endswith("This runs those that are missing, and 1 failed trial again.")


CONFIRMS = {"state": State.KILLED, "options": {"confirm": 3}}


def test_a_search_that_was_killed_while_it_confirmed_its_winner_can_go_on(project, browser):
    over(project, NEW, [GOOD], search_space={"x": [1]}, **CONFIRMS)
    title, words, call = said(browser)
    assert title == "Go on"
    assert words == "It ended before its winner was confirmed. This runs the missing evaluations."
    assert "    confirm=3,\n" in call


def test_a_search_that_was_killed_before_it_confirmed_says_that_it_will(project, browser):
    over(project, NEW, [GOOD, BAD], **{**CONFIRMS, "trials_total": 8})
    assert said(browser)[1] == (
        "It ended after 2 of 8 trials. This runs those that are missing, and 1 failed trial again. "
        "Then it confirms the winner."
    )


@pytest.mark.parametrize(
    ("trials", "changes", "title"),
    [
        ([GOOD], {"confirmation": CONFIRMATION}, None),
        ([GOOD], {"state": State.FINISHED}, None),
        ([BAD], {"state": State.FAILED}, "Run failed trials again"),  # there is no winner
    ],
)
def test_only_a_winner_that_was_not_confirmed_is_left_to_confirm(
    project, browser, trials, changes, title
):
    over(project, NEW, trials, **{**CONFIRMS, **changes})
    found = said(browser)
    assert (None if found is None else found[0]) == title


@pytest.mark.parametrize(("trials", "offered"), [([GOOD, BAD], False), ([BAD], True)])
def test_an_asynchronous_search_begins_again_only_if_all_its_trials_failed(
    project, browser, trials, offered
):
    over(project, NEW, trials, function="optimize")
    assert (said(browser) is not None) == offered


def test_settings_that_the_call_needs_are_in_it(project, browser):
    over(
        project, NEW, [GOOD, BAD], function="optimize", state=State.KILLED, trials_total=8,
        direction="MIN", search_space={"x": {"type": "float", "low": 0.0, "high": 1.0}},
        options={
            "optimizer": {"optimizer": "asha", "max_budget": 9}, "early_stop": {"rule": "median"},
            "num_trials": 8, "max_seconds": None, "initial": [], "retries": 3, "cluster": "slurm",
        },
    )  # fmt: skip
    call = said(browser)[2]
    for line in (
        "    {'x': {'type': 'float', 'low': 0.0, 'high': 1.0}},",
        "    optimizer={'optimizer': 'asha', 'max_budget': 9},",
        "    early_stop={'rule': 'median'},",
        "    num_trials=8,",
        "    direction='MIN',",
        "    retries=3,",
        "# It ran on the cluster 'slurm': pass cluster= as before.",
    ):
        assert line in call.splitlines()
    assert "max_seconds" not in call
    compile(call, "call", "exec")


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("lagom", {}),
        ("mirrored", {"num_workers": 2}),
        ("grid_search", {"processes_per_trial": 2}),
        ("optimize", {"optimizer": {"optimizer": "m:A", "is_object": True}, "early_stop": {}}),
        ("odd\n(", {}),
    ],
)
def test_where_the_record_lacks_arguments_only_what_the_call_needs_besides_is_shown(
    project, browser, function, options
):
    over(project, NEW, [BAD], function=function, options=options)
    assert said(browser)[2] == ""
    assert f'resume="{NEW}"' in html.unescape(browser.get(f"/experiments/{NEW}/about").text)
