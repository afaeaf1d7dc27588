"""What the log of an experiment's flow run says, and at what rate."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from hopsml_flows import experiment
from hopsml_flows.search import Why
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.prefect.run_story import RunStory, domain_text
from hopsml_flows.trials import Failure, Generation, Promoted, State, Trial, TrialResult

RECORD = ExperimentRecord(
    id="digits-20260101-000000-abcdef",
    name="digits",
    project="demo",
    function="random_search",
    experiment_type="PARALLEL_EXPERIMENTS",
    train="train.py:train",
    direction="MAX",
    optimization_key="accuracy",
    search_space={
        "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True},
        "units": {"type": "int", "low": 1, "high": 9, "log": False},
        "act": {"type": "categorical", "choices": ["relu", "tanh"]},
    },
    options={"seed": 7, "cluster": "local"},
    trials_total=24,
)
OVER = replace(RECORD, state=State.FINISHED, duration=75.4, trials_succeeded=20, trials_failed=4)


def good(number, metric, /, **params):
    return TrialResult(number, f"{number:04d}", params, State.FINISHED, metric)


def bad(number, reason="no"):
    return TrialResult(
        number, f"{number:04d}", {}, State.FAILED, failure=Failure("ValueError", reason)
    )


class Told:
    """A story, its clock, and what it has told."""

    def __init__(self):
        self.now = 0.0
        self.lines = []
        self.story = RunStory(
            lambda level, message: self.lines.append((level, message)), clock=lambda: self.now
        )

    @property
    def messages(self):
        return [message for _, message in self.lines]


@pytest.fixture
def told():
    return Told()


def test_the_beginning_says_what_runs_and_where(told):
    told.story.begin(RECORD, "/data/demo/Experiments/digits-20260101-000000-abcdef")
    assert told.messages == [
        "Experiment digits-20260101-000000-abcdef: random_search of train.py:train",
        "Directory: /data/demo/Experiments/digits-20260101-000000-abcdef",
        "Search space: rate=float 0.001 to 1 (log), units=int 1 to 9, act=relu | tanh",
        "24 trials, seed 7, cluster local, accuracy MAX",
    ]


def test_a_resumed_experiment_says_which_attempt_it_is(told):
    told.story.begin(replace(RECORD, attempt=3, search_space={}, direction=None), "/d")
    assert told.messages[0].startswith("Experiment digits-20260101-000000-abcdef, attempt 3: ")
    assert told.messages[1:] == ["Directory: /d", "24 trials, seed 7, cluster local"]


def test_a_grids_values_and_a_domain_of_its_record_are_told_alike():
    plan = experiment.grid_search.plan(lambda x: x, {"x": [0.1, 1 / 3, 2]})
    assert domain_text(plan.space["x"]) == "0.1 | 0.333333 | 2"
    assert domain_text("anything") == "anything"


def test_each_better_trial_is_told_until_they_come_too_fast(told):
    told.story.begin(RECORD, "/d")
    begun = len(told.lines)
    for number in range(1, 10_001):  # a grid in which each trial is better than the one before
        told.now += 0.01
        told.story.improve(good(number, float(number), rate=0.5))
        told.story.look()
    lines = told.messages[begun:]
    assert 20 <= len(lines) <= 40
    assert lines[0] == "Best so far: accuracy 1 (trial 1: rate=0.5)"
    assert lines[1] == "Best so far: accuracy 2 (trial 2: rate=0.5)"
    # The last one is told once the limit allows, also where no better one follows.
    assert "10000" not in lines[-1]
    told.now += 60
    told.story.look()
    told.story.look()
    assert told.messages[begun + len(lines) :] == [
        "Best so far: accuracy 10000 (trial 10000: rate=0.5)"
    ]


def test_failed_trials_are_told_and_counted_beyond_the_limit(told):
    for number in range(1, 1001):
        told.story.fail(bad(number, f"reason {number}\nand more"))
    assert told.lines[0] == (logging.WARNING, "Trial 1 failed: ValueError: reason 1 and more")
    assert len(told.lines) == 20
    told.now += 10
    told.story.fail(bad(2000))
    assert told.messages[-1] == "Trial 2000 failed: ValueError: no (980 more trials failed before)"
    told.story.fail(bad(2001))
    told.story.end(OVER, None)
    assert (logging.WARNING, "1 more trial failed before") in told.lines


def test_decisions_on_trials_are_told_and_counted_beyond_the_limit(told):
    why = Why("asha", 0.5, "its {value} is the best of 3 at budget 1", 2)
    promoted = replace(good(1, 0.9, x=1), promotions=(Promoted(3, why),))
    told.story.explain(replace(promoted, state=State.STOPPED, why_stopped=why))
    assert told.lines == [
        (logging.INFO, f"Trial 1 {does} asha at step 2: its 0.5 is the best of 3 at budget 1")
        for does in ("went on to budget 3, by", "was stopped by")
    ]
    told.story.explain(good(2, 0.9))  # nothing was decided about it
    assert len(told.lines) == 2
    for _ in range(100):
        told.story.explain(promoted)
    assert len(told.lines) == 20
    told.story.end(OVER, None)
    assert (logging.INFO, "82 more decisions on trials before") in told.lines


def test_a_trial_that_runs_again_says_why(told):
    trial = Trial(3, "0003", {}, directory="0003")
    told.story.retry(replace(trial, attempt=2))
    told.story.retry(replace(trial, interrupted=True))
    told.story.retry(replace(trial, interrupted=True, attempt=2))
    assert told.messages == [
        "The process of trial 3 was lost: attempt 2 follows",
        "Storage kept trial 3 from running: it runs again",
        "Trial 3 runs again: attempt 2 follows",
    ]


def test_the_trials_that_confirm_a_winner_are_told(told):
    told.story.begin_confirming("Confirming trial 2 (accuracy 0.9) on 5 fresh seeds: 10 trials")
    assert told.messages == ["Confirming trial 2 (accuracy 0.9) on 5 fresh seeds: 10 trials"]


def test_each_generation_is_told(told):
    best = good(4, 0.75)
    told.story.begin(replace(RECORD, search_space={}), "/d")
    begun = len(told.lines)
    told.story.close_generation(Generation(0, (best, good(5, 0.5), bad(6)), 0.625, best))
    told.story.close_generation(Generation(1, (bad(7), bad(8)), None, best))
    assert told.messages[begun:] == [
        "Generation 0: best accuracy so far 0.75 (trial 4), mean 0.625, 1 of 3 trials failed",
        "Generation 1: best accuracy so far 0.75 (trial 4), 2 of 2 trials failed",
    ]


def test_the_end_says_the_result(told):
    told.story.begin(RECORD, "/d")
    told.story.end(OVER, good(12, 0.97, rate=0.5))
    assert told.lines[-1] == (
        logging.INFO,
        "FINISHED after 0:01:15: Best accuracy 0.97 (trial 12: rate=0.5); 24 trials, 4 failed",
    )


@pytest.mark.parametrize(
    ("changes", "level", "end"),
    [
        ({"state": State.FAILED, "error": "all 4 trials failed"}, logging.ERROR,
         "FAILED after 0:01:15: 24 trials, 4 failed. all 4 trials failed"),
        ({"state": State.KILLED, "error": None}, logging.WARNING,
         "KILLED after 0:01:15: 24 trials, 4 failed"),
        ({"notice": "too bad"}, logging.INFO,
         "FINISHED after 0:01:15: 24 trials, 4 failed. Ended before its budget was spent: too bad"),
    ],
)  # fmt: skip
def test_another_end_says_why(told, changes, level, end):
    told.story.end(replace(OVER, **changes), None)
    assert told.lines == [(level, end)]


def test_without_a_server_for_logs_nothing_is_told():
    story = RunStory(None)
    story.begin(RECORD, "/d")
    story.improve(good(1, 1.0))
    story.end(OVER, None)
