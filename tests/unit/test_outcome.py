"""The result of an experiment in a line, and what it makes of the flow run's final state."""

from __future__ import annotations

import math

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.report import FinalState, final_state
from hopsml_flows.search import Direction
from hopsml_flows.tracking.prefect.outcome import best_text, outcome_text, pairs_text
from hopsml_flows.trials import ExperimentResult, Failure, State, TrialResult


def good(number, metric, outputs=None, /, **params):
    outputs = outputs or {"metric": metric, "log": "Experiments/e/0001/output.log"}
    return TrialResult(number, f"{number:04d}", params, State.FINISHED, metric, outputs)


def bad(number):
    return TrialResult(
        number, f"{number:04d}", {}, State.FAILED, failure=Failure("ValueError", "no")
    )


def test_the_result_is_the_best_trial_with_what_made_it_and_the_counts():
    best = good(12, 0.97312345678, learning_rate=0.001, dropout=0.7)
    assert outcome_text("accuracy", best, 24, 1, searched=True) == (
        "Best accuracy 0.973123 (trial 12: learning_rate=0.001, dropout=0.7); 24 trials, 1 failed"
    )
    assert outcome_text("accuracy", best, 1, 0, searched=True).endswith("; 1 trial")
    said = outcome_text("accuracy", best, 24, 1, searched=True, stopped=9)
    assert said.endswith("; 24 trials, 1 failed, 9 stopped early")


def test_a_single_run_shows_what_it_returned():
    run = good(1, None, {"accuracy": 1 / 3, "epochs": 3, "log": "Experiments/e/output.log"})
    assert outcome_text(None, run, 1, 0, searched=False) == ("accuracy=0.333333, epochs=3; 1 trial")
    alone = good(1, None, {"log": "Experiments/e/output.log"})
    assert outcome_text(None, alone, 1, 0, searched=False) == "1 trial"
    assert outcome_text(None, None, 3, 2, searched=False) == "3 trials, 2 failed"


def test_a_trial_without_hyperparameters_and_a_whole_number_as_metric():
    assert best_text(None, good(1, 7)) == "metric 7 (trial 1)"


def test_long_and_strange_values_stay_on_one_short_line():
    many = {f"p{number}\n": "x" * 1000 for number in range(500)}
    text = pairs_text({"a": math.nan, "b": "one\ntwo\x1b[31m", "c\udce9": [1, 2], **many})
    assert text.startswith("a=nan, b=one two, c\\udce9=[1, 2], p0=xxx")
    assert text.endswith("and 491 more")
    assert "\n" not in text
    assert len(text) < 1500


def result(*trials):
    best = max((t for t in trials if t.succeeded), key=lambda t: t.metric, default=None)
    return ExperimentResult(
        "e-1", "grid_search", "/p", State.FINISHED, Direction.MAX, best, trials, 1.0
    )


def plan():
    return experiment.grid_search.plan(lambda x: x, {"x": [1]}, optimization_key="score")


@pytest.mark.parametrize(
    ("failed", "name"), [(0, "Completed"), (1, "Completed"), (2, "Mostly failed")]
)
def test_a_run_of_which_most_trials_failed_ends_in_a_state_that_says_so(failed, name):
    trials = [*(bad(number) for number in range(failed)), good(9, 1.5, x=1)]
    said = final_state(plan(), result(*trials), None)
    assert said.name == name
    assert said.message.startswith("Best score 1.5 (trial 9: x=1); ")
    assert said.message.endswith("trials, 1 failed") == (failed == 1)


def test_a_search_that_ended_early_says_why_in_its_state():
    said = final_state(plan(), result(good(1, 1.5)), "3 generations failed;\nthe first one with no")
    assert said == FinalState(
        "Completed",
        "Best score 1.5 (trial 1); 1 trial. Ended before its budget was spent: "
        "3 generations failed; the first one with no",
    )
