from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hopsml_flows.driver.report import generation_line
from hopsml_flows.search import DifferentialEvolution, Direction, Float, RandomSearch, SearchSpace
from hopsml_flows.trials import Failure, Generation, State, Trial, TrialLoop, TrialResult
from hopsml_flows.trials.generations import Generations
from tests.loops import finish, lose, start

LINE = SearchSpace({"x": Float(0.0, 1.0)})


def trial_of(number, generation):
    return Trial(number, f"{number:04d}", {"x": number}, generation=generation)


def result_of(trial, metric):
    """The trial's result; a failed one where the metric is None."""
    if metric is None:
        return TrialResult.without_report(trial, Failure("MemoryError", "too large"))
    return TrialResult(
        trial.number,
        trial.name,
        trial.params,
        State.FINISHED,
        metric,
        directory=trial.directory,
        generation=trial.generation,
    )


def carried_out(direction, metrics):
    """Generations of which each trial has one of the metrics, one generation after the other."""
    following = Generations(direction)
    taken, number = [], 0
    for generation, of_generation in enumerate(metrics):
        trials = []
        for _ in of_generation:
            number += 1
            trials.append(trial_of(number, generation))
            following.started(trials[-1])
        for trial, metric in zip(trials, of_generation, strict=True):
            following.done(result_of(trial, metric))
        taken += following.over(generation + 1)
    return taken


@pytest.mark.parametrize(
    ("direction", "bests"), [(Direction.MAX, [2.0, 5.0, 5.0]), (Direction.MIN, [1.0, 1.0, -4.0])]
)
def test_a_generation_has_its_average_and_the_best_of_the_search_so_far(direction, bests):
    taken = carried_out(direction, [[1.0, 2.0], [5.0, 3.0], [4.0, -4.0]])
    assert [over.number for over in taken] == [0, 1, 2]
    assert [over.average for over in taken] == [1.5, 4.0, 0.0]
    assert [over.best.metric for over in taken] == bests
    assert [over.failed for over in taken] == [0, 0, 0]


def test_failures_count_and_are_in_no_average():
    (first, second) = carried_out(Direction.MAX, [[None, -3.0, None], [None, None]])
    assert (first.failed, first.average, first.best.metric) == (2, -3.0, -3.0)
    assert (second.failed, second.average, second.best.metric) == (2, None, -3.0)


def test_a_search_of_failures_has_no_best():
    (only,) = carried_out(Direction.MAX, [[None, None]])
    assert (only.average, only.best, only.failed) == (None, None, 2)


def test_a_generation_is_over_when_none_of_it_runs_or_is_to_come():
    following = Generations(Direction.MAX)
    first, second, third = (trial_of(number, 0) for number in (1, 2, 3))
    following.started(first)
    following.started(second)
    following.done(result_of(second, 2.0))
    assert following.over(0) == []
    following.done(result_of(first, 1.0))
    assert following.over(0) == []  # the third is to come
    following.started(third)
    assert following.over(1) == []
    following.done(result_of(third, 3.0))
    (over,) = following.over(1)
    assert [result.number for result in over.results] == [1, 2, 3]
    assert following.over(1) == []
    assert following.over(None) == []


def test_the_last_generation_is_over_when_the_search_proposes_no_more():
    following = Generations(Direction.MAX)
    following.started(trial_of(1, 0))
    following.done(result_of(trial_of(1, 0), 1.0))
    assert following.over(0) == []
    assert [over.number for over in following.over(None)] == [0]


def test_a_trial_that_is_tried_again_is_waited_for():
    following = Generations(Direction.MAX)
    trial = trial_of(1, 0)
    following.started(trial)
    following.started(trial)
    assert following.over(1) == []
    following.done(result_of(trial, 1.0))
    assert len(following.over(1)[0].results) == 1


def test_generations_that_overlap_are_over_one_after_the_other():
    following = Generations(Direction.MAX)
    straggler, quick = trial_of(1, 0), trial_of(2, 1)
    for trial in (straggler, trial_of(3, 0), quick):
        following.started(trial)
    following.done(result_of(trial_of(3, 0), 1.0))
    following.done(result_of(quick, 9.0))
    assert following.over(2) == []  # of the first one a trial still runs
    following.done(result_of(straggler, 2.0))
    first, second = following.over(2)
    assert (first.number, first.best.metric) == (0, 2.0)
    assert (second.number, second.best.metric) == (1, 9.0)


def test_a_generation_that_is_over_first_waits_for_the_one_before_it():
    following = Generations(Direction.MAX)
    straggler, quick = trial_of(1, 0), trial_of(2, 1)
    following.started(straggler)
    following.started(quick)
    following.done(result_of(quick, 1.0))
    assert following.over(2) == []
    following.done(result_of(straggler, 1.0))
    assert [over.number for over in following.over(2)] == [0, 1]


def test_the_best_of_equal_metrics_is_the_trial_of_the_lowest_number():
    following = Generations(Direction.MIN)
    trials = [trial_of(number, number // 3) for number in range(1, 5)]
    for trial in trials:
        following.started(trial)
    for trial in reversed(trials):
        following.done(result_of(trial, 0.5))
    assert [over.best.number for over in following.over(None)] == [1, 1]


def test_trials_without_generations_have_none():
    loop = TrialLoop(RandomSearch(LINE, seed=1), direction=Direction.MAX, retries=0)
    for trial in start(loop, 20):
        assert finish(loop, result_of(trial, 1.0)) == []
    assert loop.finished


@pytest.mark.parametrize("updating", ["deferred", "immediate"])
@pytest.mark.parametrize("workers", [1, 3, 5])
def test_a_loop_goes_through_all_generations_in_order(updating, workers):
    search = DifferentialEvolution(
        LINE, generations=3, population=5, updating=updating, direction="min", seed=1
    )
    loop = TrialLoop(search, direction=Direction.MIN, retries=0)
    finishing = random.Random(2)
    running, taken = [], []
    while not loop.finished:
        running += start(loop, workers, ahead=2)
        trial = running.pop(finishing.randrange(len(running)))
        assert trial.directory == f"generation.{(trial.number - 1) // 5}/{trial.name}"
        taken += finish(loop, result_of(trial, trial.params["x"]))
    assert [over.number for over in taken] == [0, 1, 2, 3]
    assert [len(over.results) for over in taken] == [5] * 4
    assert [r.number for over in taken for r in over.results] == list(range(1, 21))
    assert loop.counts.total == loop.counts.succeeded == 20
    assert taken[-1].best.metric == loop.best.metric


def test_a_loop_asks_a_deferred_search_for_no_more_than_its_generation():
    search = DifferentialEvolution(LINE, generations=2, population=5, seed=1)
    loop = TrialLoop(search, direction=Direction.MAX, retries=1)
    first = start(loop, 3, ahead=9)
    assert [trial.generation for trial in first] == [0] * 5
    assert loop.population(0) == [trial.params for trial in first]
    for trial in first[:4]:
        assert finish(loop, result_of(trial, trial.params["x"])) == []
    assert start(loop, 3, ahead=9) == []
    assert lose(loop, first[4].number, "killed") is None
    (again,) = start(loop, 3, ahead=9)
    assert (again.number, again.attempt, again.generation) == (5, 2, 0)
    assert again.directory == first[4].directory
    assert [over.number for over in finish(loop, result_of(again, 1.0))] == [0]
    assert [trial.generation for trial in start(loop, 3, ahead=9)] == [1] * 5


def loop_with_failures(failing, **options):
    """A loop that is over, of a search in which all trials of some generations fail."""
    search = DifferentialEvolution(LINE, generations=5, population=4, seed=1, **options)
    loop = TrialLoop(search, direction=Direction.MAX, retries=0)
    while not loop.finished:
        for trial in reversed(start(loop, 4)):
            if trial.generation in failing or trial.number == 2:
                failure = Failure("MemoryError", f"too large for {trial.number}")
                finish(loop, replace(result_of(trial, None), failure=failure))
            else:
                finish(loop, result_of(trial, trial.params["x"]))
    return loop


def test_a_loop_whose_search_gave_up_has_its_result_and_says_what_failed_first_then():
    loop = loop_with_failures({2, 3}, max_failed_generations=2)
    assert loop.counts.done == 16
    assert loop.best.generation < 2
    assert loop.failure is None
    assert loop.notice == (
        "all 8 trials of generations 2 to 3 failed; the first one with MemoryError: too large for 9"
    )
    assert loop.first_failure.number == 2


def test_a_loop_without_any_success_has_failed_and_says_why():
    loop = loop_with_failures(set(range(6)))
    assert loop.counts.done == 12
    assert loop.best is None
    assert loop.notice is None
    assert loop.failure == (
        "all 12 trials of generations 0 to 2 failed; the first one with MemoryError: too large for 1"  # noqa: E501
    )


def test_a_loop_of_single_failures_has_not_failed():
    search = DifferentialEvolution(LINE, generations=2, population=4, seed=1)
    loop = TrialLoop(search, direction=Direction.MAX, retries=0)
    while not loop.finished:
        for trial in start(loop, 4):
            finish(loop, result_of(trial, None if trial.number % 4 else 0.5))
    assert loop.counts.failed == 9
    assert loop.failure is None


# What is printed


def line_of(number, results, average, best, key="metric"):
    return generation_line(Generation(number, tuple(results), average, best), key)


def test_the_line_of_a_generation_has_average_best_and_its_parameters():
    best = TrialResult(
        3, "0003", {"rate": 0.1234567891, "act": "relu", "on": True}, State.FINISHED, 0.98765432
    )
    assert line_of(2, [best], 0.5, best) == (
        "Generation 2 | average metric 0.5 | best metric 0.987654 | "
        "best parameters rate=0.123457, act=relu, on=True"
    )


def test_the_line_of_a_generation_has_the_metrics_own_name():
    best = result_of(trial_of(1, 0), 0.5)
    line = line_of(0, [best], 0.25, best, key="accuracy")
    assert line.startswith("Generation 0 | average accuracy 0.25 | best accuracy 0.5 |")


def test_the_line_of_a_generation_says_how_many_failed():
    failed = result_of(trial_of(1, 0), None)
    good = result_of(trial_of(2, 0), -1.0)
    assert line_of(0, [failed, good], -1.0, good).endswith(" | 1 of 2 trials failed")
    assert line_of(0, [failed, failed], None, None) == "Generation 0 | 2 of 2 trials failed"


def test_a_metric_and_an_average_of_zero_are_numbers_too():
    zero = result_of(trial_of(1, 0), 0.0)
    assert "average metric 0 | best metric 0 |" in line_of(0, [zero], 0.0, zero)
