"""Why trials were stopped and promoted: from the search to the summary, and to sentences."""

from __future__ import annotations

import json
import math

import pytest

from hopsml_flows.cli import main
from hopsml_flows.search import Asha, Direction, SearchSpace, Why
from hopsml_flows.service.index.entries import read_trials
from hopsml_flows.storage import Project
from hopsml_flows.tracking.summary import combination
from hopsml_flows.trials import (
    Failure,
    Promoted,
    SlotsFree,
    State,
    SubmitTrial,
    TrialDone,
    TrialLoop,
    TrialResult,
)
from hopsml_flows.trials.journal import Journal, restored
from hopsml_flows.trials.journal_lines import header_line, line_of
from hopsml_flows.trials.reasons import reasons
from tests.written import WrittenExperiment

STOP = Why("median", 0.61, "its best {value} is below {threshold}", 7, 0.73)
RISE = Why("asha", 0.9, "its {value} is the best of 3 at budget 1", threshold=0.9)


def asha_loop(lines=None):
    def record(event, instructions):
        line = line_of(event, instructions)
        if lines is not None and line is not None:
            lines.append(line)

    search = Asha(
        SearchSpace({"x": [0.0, 1.0]}), num_trials=7, reduction_factor=2, max_budget=4, seed=1
    )
    return TrialLoop(search, direction=Direction.MAX, retries=1, record=record)


def run(loop):
    """Run a search to its end; the metric of a trial is its x."""
    results = []
    while not loop.finished:
        for said in loop.handle(SlotsFree(1)):
            assert isinstance(said, SubmitTrial)
            trial = said.trial
            result = TrialResult(
                trial.number, trial.name, trial.params, State.FINISHED, trial.params["x"],
                directory=trial.directory, budget=trial.budget,
            )  # fmt: skip
            (kept,) = loop.handle(TrialDone(result))
            results.append(kept.result)
    return results


def test_a_promoted_trial_knows_which_it_goes_on_from_and_why():
    results = {result.number: result for result in run(asha_loop())}
    promoted = [result for result in results.values() if result.promotions]
    assert [result.budget for result in promoted] == [2, 2, 4]
    for result in promoted:
        before = results[result.continues]
        assert before.params == result.params
        (rise,) = result.promotions
        assert rise.budget == result.budget == 2 * before.budget
        assert rise.why.rule == "asha"
        assert rise.why.value == before.metric
        assert rise.why.threshold <= rise.why.value  # it is among the best
    assert all(result.continues is None for result in results.values() if result.budget == 1)


def test_a_journal_gives_the_same_reasons_again():
    lines = [header_line("digits-1")]
    results = run(asha_loop(lines))
    journal = Journal.read("journal.jsonl", "".join(lines))
    again = list(restored(asha_loop(), journal, {result.number: result for result in results}))
    assert [(r.promotions, r.continues, r.budget) for r in again] == [
        (r.promotions, r.continues, r.budget) for r in results
    ]


def trials():
    return [
        TrialResult(
            1, "0001-x=1", {"x": 1}, State.STOPPED, 0.61, {"m": 0.61}, "0001-x=1", started=1.0,
            ended=2.0, why_stopped=STOP,
        ),
        TrialResult(
            2, "0002-x=2", {"x": 2}, State.FINISHED, 0.9, {"m": 0.9}, "0002-x=2", started=1.0,
            ended=6.0, budget=9, continues=1,
            promotions=(Promoted(3, RISE), Promoted(9, Why("asha", math.inf, "{value}", 2))),
        ),
        TrialResult(
            3, "0003-x=3", {"x": 3}, State.FAILED, directory="0003-x=3", started=1.0, ended=2.0,
            failure=Failure("ValueError", "no: way", place="train.py:3"),
        ),
    ]  # fmt: skip


def summary_of(results):
    return json.dumps({"combinations": [combination(result) for result in results]})


def test_the_summary_has_rule_step_value_and_what_it_was_compared_with():
    stopped, promoted, _ = json.loads(summary_of(trials()))["combinations"]
    assert {name: stopped["why_stopped"][name] for name in ("rule", "step", "value")} == {
        "rule": "median", "step": 7, "value": 0.61,
    }  # fmt: skip
    assert stopped["why_stopped"]["threshold"] == 0.73
    assert "why_promoted" not in stopped
    assert "continues" not in stopped
    assert (promoted["continues"], promoted["budget"]) == (1, 9)
    first, second = promoted["why_promoted"]
    assert (first["rule"], first["budget"], first["value"], first["threshold"]) == (
        "asha", 3, 0.9, 0.9,
    )  # fmt: skip
    assert (second["budget"], second["step"], second["value"]) == (9, 2, "inf")


def told(text):
    return [result for _, result, _, _ in read_trials(text.encode()).trials]


def test_trials_come_back_from_the_summary():
    assert told(summary_of(trials())) == trials()


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        {"trial": "0001", "parameters": [], "state": "FINISHED"},
        {"trial": "0001", "parameters": {}, "state": "GONE"},
        {"trial": None, "parameters": {}, "state": "FINISHED"},
    ],
)
def test_entries_that_cannot_be_read_are_left_out(entry):
    good = combination(trials()[0])
    text = json.dumps({"combinations": [entry, good]})
    assert told(text) == trials()[:1]


@pytest.mark.parametrize("change", [{"why_stopped": 7}, {"why_stopped": {"rule": "x"}}])
def test_a_reason_that_cannot_be_read_costs_only_itself(change):
    entry = combination(trials()[0]) | change
    (result,) = told(json.dumps({"combinations": [entry]}))
    assert (result.state, result.why_stopped) == (State.STOPPED, None)


def test_each_reason_is_a_sentence_by_the_trials_numbers():
    assert reasons(reversed(trials())) == [
        "Trial 1 was stopped by median at step 7: its best 0.61 is below 0.73",
        "Trial 2 goes on from trial 1 with budget 3, by asha: its 0.9 is the best of 3 at budget 1",
        "Trial 2 went on to budget 9, by asha at step 2: inf",
    ]


@pytest.fixture
def written(tmp_path):
    written = WrittenExperiment(Project(str(tmp_path)), trials=4)
    written.write(
        function="optimize",
        direction="MAX",
        optimization_key="m",
        duration=61.2,
        options={
            "optimizer": {"optimizer": "asha", "max_budget": 9},
            "early_stop": {"rule": "none"},
        },
    )
    written.project.replace(written.paths.summary, summary_of(trials()))
    return written


def test_show_prints_facts_trials_and_a_sentence_per_decision(
    written, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(["show", "last", "--project", str(tmp_path)])
    assert not ended.value.code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        f"{written.paths.id}: RUNNING, 0:01:01",
        "kind       optimize of module:f",
        "optimizer  asha(max_budget=9)",
        "early_stop none",
        "trials     3 of 4, 1 failed, 1 stopped early (about 0:04 saved), 1 promoted",
        "best       m 0.9 in trial 2: x=2",
    ]
    assert lines[6] == f"directory  {tmp_path}/Experiments/{written.paths.id}"
    assert lines[-3:] == reasons(trials())
    table = "\n".join(lines[7:-3])
    for word in ("optimize: trials of digits", "budget", "STOPPED", "FINISHED", "FAILED"):
        assert word in table
    assert max(map(len, lines[7:-3])) <= 80


def test_show_of_an_experiment_that_has_no_trial_yet_prints_its_facts(written, tmp_path, capsys):
    written.project.remove(written.paths.summary)
    with pytest.raises(SystemExit):
        main(["show", written.paths.id, "--project", str(tmp_path)])
    assert "trials     0 of 4, 0 failed" in capsys.readouterr().out.splitlines()


def test_show_of_what_is_not_there_says_so(written, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["show", "nothing", "--project", str(tmp_path)])
    assert ended.value.code == 2
    assert "must be an experiment of" in capsys.readouterr().err
