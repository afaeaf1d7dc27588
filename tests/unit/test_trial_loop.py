from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from hopsml_flows.errors import InvalidArgumentError, StuckSearchError
from hopsml_flows.search import (
    BaseSearch,
    DifferentialEvolution,
    Direction,
    ListSearch,
    Proposal,
    RandomSearch,
    SearchSpace,
    Stop,
    Why,
)
from hopsml_flows.trials import (
    CloseGeneration,
    Failure,
    GiveUpTrial,
    KeepResult,
    Report,
    SlotsFree,
    State,
    TrialDone,
    TrialLoop,
    TrialLost,
    TrialReplayed,
    TrialReported,
    TrialResult,
    TrialReturned,
    TrialStopped,
    replay,
)
from tests.loops import finish, lose, start


def loop_of(count=10, *, retries=1, direction=Direction.MAX, **options):
    search = ListSearch([{"x": i} for i in range(count)], direction=direction)
    return TrialLoop(search, direction=direction, retries=retries, **options), search


def finished(trial, metric):
    return TrialResult(
        trial.number,
        trial.name,
        trial.params,
        State.FINISHED,
        metric,
        directory=trial.directory,
        generation=trial.generation,
    )


def failed(trial, message="boom"):
    return TrialResult(
        trial.number, trial.name, trial.params, State.FAILED, failure=Failure("E", message)
    )


def numbers(trials):
    return [trial.number for trial in trials]


def test_no_more_trials_start_than_workers_can_run():
    loop, _ = loop_of(20)
    assert numbers(start(loop, 2)) == [1, 2]
    assert start(loop, 2) == []


def test_a_rule_that_wants_to_know_is_told_of_each_trial_that_starts():
    class Knowing:
        def __init__(self):
            self.begun = []

        def begin(self, trial, params):
            self.begun.append((trial, dict(params)))

        def judge(self, trial, curve):
            return None

        def end(self, trial, curve):
            pass

    rule = Knowing()
    loop, _ = loop_of(rule=rule)
    start(loop, 2)
    lose(loop, 1, "gone")
    start(loop, 2)
    assert rule.begun == [(1, {"x": 0}), (2, {"x": 1}), (1, {"x": 0})]


def test_a_rule_is_told_the_metric_that_a_trial_ended_with():
    class Knowing:
        def __init__(self):
            self.running, self.ended = [], []

        def judge(self, trial, curve):
            self.running.append(curve.metric)
            if curve.values[-1] < 0:
                return Stop(Why("negative", curve.values[-1], "{value}"))
            return None

        def end(self, trial, curve):
            self.ended.append((trial, list(curve.values), curve.metric))

    rule = Knowing()
    loop, _ = loop_of(rule=rule)
    returned, stopped, silent = start(loop, 3)
    for trial, metric in ((returned, 0.25), (stopped, -0.5)):
        loop.handle(TrialReported(trial.number, trial.attempt, (Report(metric, 0),)))
    finish(loop, finished(returned, 0.75))
    finish(loop, replace(finished(stopped, -0.5), state=State.STOPPED))
    finish(loop, finished(silent, 0.5))
    assert rule.running == [None, None]
    assert rule.ended == [(1, [0.25], 0.75), (2, [-0.5], -0.5), (3, [], 0.5)]


def test_a_search_that_does_not_learn_is_kept_ahead_of_the_workers_on_request():
    loop, _ = loop_of(20)
    assert numbers(start(loop, 2, ahead=4)) == [1, 2, 3, 4, 5, 6]
    assert start(loop, 2, ahead=4) == []


def test_only_as_many_trials_count_as_running_as_there_are_workers():
    loop, _ = loop_of(20)
    started = start(loop, 2, ahead=4)
    assert loop.counts.running == 2
    for trial in started[:5]:
        finish(loop, finished(trial, 0.1))
    assert loop.counts.running == 1


def test_a_search_that_learns_is_asked_only_for_free_workers():
    class Learning(ListSearch):
        adaptive = True

    loop = TrialLoop(Learning([{"x": i} for i in range(9)]), direction=Direction.MAX, retries=0)
    first, second = start(loop, 2, ahead=4)
    assert start(loop, 2, ahead=4) == []
    finish(loop, finished(first, 1.0))
    assert numbers(start(loop, 2)) == [3]
    finish(loop, finished(second, 1.0))
    assert loop.counts.running == 1


def test_a_freed_place_is_filled_in_the_searchs_order():
    loop, _ = loop_of(20)
    started = start(loop, 1, ahead=3)
    finish(loop, finished(started[2], 0.1))
    finish(loop, finished(started[0], 0.1))
    assert numbers(start(loop, 1, ahead=3)) == [5, 6]


def test_every_trial_is_started_once_and_the_loop_ends():
    loop, search = loop_of(25)
    seen = []
    running = []
    while not loop.finished:
        running += start(loop, 2)
        trial = running.pop()
        seen.append(trial.number)
        finish(loop, finished(trial, float(trial.number)))
    assert sorted(seen) == list(range(1, 26))
    assert search.finished
    assert loop.best.number == 25
    assert (loop.counts.total, loop.counts.succeeded, loop.counts.failed) == (25, 25, 0)


def test_trials_are_named_in_the_signatures_order_and_have_a_directory_of_that_name():
    search = ListSearch([{"b": 1, "a": 2}])
    loop = TrialLoop(search, direction=Direction.MAX, retries=0, order=("a", "b"))
    (trial,) = start(loop, 1)
    assert trial.name == trial.directory == "0001-a=2-b=1"
    assert trial.attempt == 1


def test_without_a_directory_of_its_own_a_trial_uses_the_experiments():
    loop, _ = loop_of(1, own_directory=False)
    (trial,) = start(loop, 1)
    assert trial.directory == ""
    assert trial.name == "0001-x=0"


def test_the_direction_decides_the_best_trial():
    loop, _ = loop_of(3, direction=Direction.MIN)
    for trial, metric in zip(start(loop, 3), (2.0, -1.0, 5.0), strict=True):
        finish(loop, finished(trial, metric))
    assert loop.best.metric == -1.0


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_equal_metrics_the_trial_of_the_lowest_number_is_the_best(direction, order):
    loop, search = loop_of(3, direction=direction)
    trials = start(loop, 3)
    for place in order:
        finish(loop, finished(trials[place], 0.5))
    assert loop.best.number == search.best.proposal.id == 1


def test_a_better_metric_is_the_best_whatever_the_trials_number():
    loop, _ = loop_of(3)
    first, second, third = start(loop, 3)
    for trial, metric in [(second, 1.0), (third, 2.0), (first, 1.0)]:
        finish(loop, finished(trial, metric))
    assert loop.best.number == 3


def test_a_failure_is_counted_remembered_and_told_and_the_others_go_on():
    loop, search = loop_of(4)
    first, second, third, fourth = start(loop, 4)
    finish(loop, finished(first, 1.0))
    finish(loop, failed(second, "first"))
    finish(loop, failed(third, "second"))
    assert not loop.finished
    finish(loop, finished(fourth, 0.5))
    assert loop.finished
    assert (loop.counts.succeeded, loop.counts.failed, loop.counts.done) == (2, 2, 4)
    assert loop.first_failure.failure.message == "first"
    assert loop.best.number == 1
    assert search.best.value == 1.0


def test_the_first_failure_is_the_one_of_the_lowest_number_whichever_ends_first():
    loop, _ = loop_of(3)
    first, second, third = start(loop, 3)
    finish(loop, failed(second, "second"))
    finish(loop, failed(first, "first"))
    finish(loop, failed(third, "third"))
    assert loop.first_failure.failure.message == "first"


def test_if_all_fail_there_is_no_best():
    loop, search = loop_of(2)
    for trial in start(loop, 2):
        finish(loop, failed(trial))
    assert loop.finished
    assert loop.best is None
    assert search.best is None


def test_a_trial_may_succeed_without_a_metric():
    loop, search = loop_of(1)
    (trial,) = start(loop, 1)
    finish(loop, finished(trial, None))
    assert loop.finished
    assert loop.counts.succeeded == 1
    assert loop.best is None
    assert search.finished


def test_a_lost_trial_is_tried_again_before_new_ones_with_the_next_attempt():
    loop, search = loop_of(20, retries=1)
    started = start(loop, 2)
    assert lose(loop, started[1].number, "killed") is None
    (again,) = start(loop, 2)
    assert (again.number, again.name, again.attempt) == (2, started[1].name, 2)
    search.tell(2, 1.0)  # a search takes one result for a proposal: it had none yet


def test_a_lost_trial_keeps_the_loop_unfinished_until_it_is_back():
    loop, _ = loop_of(1, retries=1)
    (trial,) = start(loop, 1)
    lose(loop, 1, "killed")
    assert not loop.finished
    (again,) = start(loop, 1)
    finish(loop, finished(again, 1.0))
    assert loop.finished
    assert loop.best.number == trial.number


def test_a_trial_lost_more_often_than_retries_allow_has_failed():
    loop, _ = loop_of(1, retries=2)
    for _ in range(2):
        start(loop, 1)
        assert lose(loop, 1, "killed") is None
    start(loop, 1)
    result = lose(loop, 1, "killed again")
    assert result.state is State.FAILED
    assert result.attempt == 3
    assert str(result.failure) == "WorkerLostError: killed again"
    assert loop.finished
    assert loop.counts.failed == 1
    assert loop.first_failure is result


def test_without_retries_a_lost_trial_has_failed_at_once():
    loop, _ = loop_of(1, retries=0)
    start(loop, 1)
    assert lose(loop, 1, "killed").state is State.FAILED


@pytest.mark.parametrize("retries", [0, 1])
def test_broken_connections_do_not_count_against_the_retries_but_ten_are_enough(retries):
    loop, _ = loop_of(1, retries=retries)
    for attempt in range(1, 11):
        assert [trial.attempt for trial in start(loop, 1)] == [attempt]
        assert lose(loop, 1, "cancelled", cut_off=True) is None
    for _ in range(retries):
        start(loop, 1)
        assert lose(loop, 1, "killed") is None
    start(loop, 1)
    result = lose(loop, 1, "cancelled", cut_off=True)
    assert (result.state, result.attempt) == (State.FAILED, 11 + retries)
    assert loop.finished


def test_a_search_that_ends_early_ends_the_loop():
    search = RandomSearch(SearchSpace({"x": ["a", "b"]}), samples=10, seed=0)
    loop = TrialLoop(search, direction=Direction.MAX, retries=0)
    started = start(loop, 8)
    for trial in started:
        finish(loop, finished(trial, 1.0))
    assert len(started) == 2
    assert loop.finished


def test_a_trial_that_storage_interrupted_runs_again_as_the_same_attempt_and_says_so():
    loop, _ = loop_of(1)
    (trial,) = start(loop, 1)
    assert not trial.may_have_begun
    loop.handle(TrialReturned(trial.number))
    (again,) = start(loop, 1)
    assert (again.number, again.attempt, again.may_have_begun) == (1, 1, True)
    assert again.directory == trial.directory


def test_a_stopped_trial_has_failed_whatever_attempts_it_has_left():
    loop, search = loop_of(2, retries=5)
    first, second = start(loop, 2)
    (gave_up,) = loop.handle(TrialStopped(first.number, "not promising", started=1.0, ended=3.0))
    assert gave_up == GiveUpTrial(first, gave_up.result)
    assert str(gave_up.result.failure) == "TrialStoppedError: not promising"
    assert gave_up.result.duration == 2.0
    finish(loop, finished(second, 1.0))
    assert loop.finished
    assert search.finished
    assert (loop.counts.succeeded, loop.counts.failed) == (1, 1)


def test_a_replayed_result_counts_and_nothing_follows_from_it():
    loop, search = loop_of(1)
    (trial,) = start(loop, 1)
    assert loop.handle(TrialReplayed(finished(trial, 0.5))) == []
    assert loop.finished
    assert search.best.value == loop.best.metric == 0.5


def test_a_generation_closes_with_its_last_trial_after_that_is_kept():
    search = DifferentialEvolution(
        SearchSpace({"x": [0.0, 1.0]}), generations=1, population=4, seed=0
    )
    loop = TrialLoop(search, direction=Direction.MAX, retries=0)
    *others, last = start(loop, 4)
    for trial in others:
        finish(loop, finished(trial, 1.0))
    kept, over = loop.handle(TrialDone(finished(last, 2.0)))
    assert kept == KeepResult(finished(last, 2.0))
    assert isinstance(over, CloseGeneration)
    assert over.generation.best.number == last.number


def test_a_log_replays_to_the_same_instructions():
    log = []
    loop, _ = loop_of(3, record=lambda event, said: log.append((event, list(said))))
    first, second = start(loop, 2)
    lose(loop, first.number, "killed")
    finish(loop, failed(second))
    while not loop.finished:
        for trial in start(loop, 2):
            finish(loop, finished(trial, 1.0))
    assert [type(event) for event, _ in log[:3]] == [SlotsFree, TrialLost, TrialDone]
    again, _ = loop_of(3)
    assert replay(again, [event for event, _ in log]) == [said for _, said in log]


class Chain(BaseSearch):
    """Each proposal continues the one that a function of its number says, without a budget."""

    total = 3

    def __init__(self, continues):
        super().__init__()
        self.continues = continues

    def _propose(self, number):
        return {"x": 1}

    def _described(self, proposal):
        return Proposal(proposal.id, proposal.params, continues=self.continues(proposal.id))


def test_a_trial_may_go_on_from_another_one_without_a_budget():
    loop = TrialLoop(Chain(lambda n: n - 1 or None), direction=Direction.MAX, retries=0)
    first, second, third = start(loop, 3)
    assert (first.continues, second.continues) == (None, first.directory)
    assert third.continues == second.directory


@pytest.mark.parametrize("continued", [1, 7])
def test_a_trial_that_goes_on_from_none_that_there_is_is_an_error(continued):
    loop = TrialLoop(Chain(lambda _: continued), direction=Direction.MAX, retries=0)
    with pytest.raises(InvalidArgumentError, match=f"continues: must be an earlier .*{continued}"):
        start(loop, 1)


class Waiting(ListSearch):
    """Proposes nothing after its first results, and never ends."""

    finished = False

    def _ready(self):
        return self.best is None


def test_an_optimizer_that_waits_for_nothing_is_an_error_that_names_it():
    loop = TrialLoop(Waiting([{"x": 1}, {"x": 2}]), direction=Direction.MAX, retries=1)
    first, second = start(loop, 2)
    finish(loop, finished(first, 1.0))
    assert start(loop, 2) == []  # it may wait for the other one
    assert lose(loop, second.number, "killed") is None
    (again,) = start(loop, 2)  # or for an attempt that comes
    assert again.attempt == 2
    finish(loop, finished(again, 1.0))
    with pytest.raises(StuckSearchError, match="the optimizer Waiting proposes nothing and is not"):
        start(loop, 2)
