from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.search import (
    BaseSearch,
    Categorical,
    Direction,
    GoOn,
    ListSearch,
    Pause,
    RandomSearch,
    SearchSpace,
    Stop,
    Why,
)
from hopsml_flows.trials import (
    BudgetSpent,
    ExtendTrial,
    Failure,
    Report,
    SlotsFree,
    State,
    StopTrial,
    TrialDone,
    TrialLoop,
    TrialLost,
    TrialRepeated,
    TrialReported,
    TrialResult,
    TrialReturned,
)
from hopsml_flows.trials.journal import Journal, replayed, restored
from hopsml_flows.trials.journal_lines import header_line, line_of, run_line
from tests.loops import start, submitted

SPACE = SearchSpace({"rate": [0.0, 1.0], "units": [2, 9]})


class BelowHalf:
    """A rule that stops what reports less than 0.5, but not the first report."""

    def __init__(self):
        self.ended = []

    def judge(self, trial, curve):
        if len(curve) > 1 and curve.values[-1] < 0.5:
            why = Why(
                "half", curve.values[-1], "{value} is below {threshold}", curve.steps[-1], 0.5
            )
            return Stop(why)
        return None

    def end(self, trial, curve):
        self.ended.append((trial, list(curve.values)))


class Recording:
    """A loop whose events are written down."""

    def __init__(self, loop):
        self.loop = loop
        self.lines = [header_line("digits-1"), run_line({}, {})]

    def handle(self, event):
        instructions = self.loop.handle(event)
        line = line_of(event, instructions)
        if line is not None:
            self.lines.append(line)
        return instructions

    @property
    def journal(self):
        return Journal.read("journal.jsonl", "".join(self.lines))


def new_loop(*, samples=12, seed=3, rule=BelowHalf, retries=1):
    search = RandomSearch(SPACE, samples=samples, seed=seed)
    judge = rule() if rule else None
    return TrialLoop(search, direction=Direction.MAX, retries=retries, rule=judge)


def differences(loop, journal):
    """What a loop decides otherwise than the only run of a journal."""
    (run,) = journal.runs
    return list(replayed(loop, journal, run))


def result_of(trial, metric, state=State.FINISHED):
    return TrialResult(
        trial.number,
        trial.name,
        trial.params,
        state,
        metric,
        directory=trial.directory,
        attempt=trial.attempt,
    )


def run_at_random(recording, seed):
    """Run a search to its end; what happens next is drawn."""
    draw = random.Random(seed)
    running = {}
    while not recording.loop.finished:
        for trial in submitted(recording.handle(SlotsFree(3))):
            running[trial.number] = trial
        number = draw.choice(sorted(running))
        trial = running[number]
        match draw.randrange(6):
            case 0:
                running.pop(number)
                recording.handle(TrialLost(number, "SIGKILL"))
            case 3:
                running.pop(number)
                recording.handle(TrialLost(number, "cancelled", cut_off=True))
            case 1:
                running.pop(number)
                recording.handle(TrialDone(result_of(trial, draw.random())))
            case 2:
                running.pop(number)
                recording.handle(TrialReturned(number))
            case _:
                values = [draw.choice([draw.random(), math.nan, math.inf]) for _ in range(2)]
                reports = tuple(Report(value, step) for step, value in enumerate(values))
                said = recording.handle(TrialReported(number, trial.attempt, reports))
                if any(isinstance(one, StopTrial) for one in said):
                    running.pop(number)
                    recording.handle(TrialDone(result_of(trial, 0.1, State.STOPPED)))


@pytest.mark.parametrize("seed", range(20))
def test_a_journal_replays_to_the_same_decisions(seed):
    recording = Recording(new_loop())
    run_at_random(recording, seed)
    loop = new_loop()
    assert differences(loop, recording.journal) == []
    assert loop.finished
    assert loop.counts == recording.loop.counts
    assert loop.best == recording.loop.best


def test_a_decision_that_does_not_come_out_again_is_named_with_its_line():
    recording = Recording(new_loop())
    run_at_random(recording, 1)
    line = next(n for n, text in enumerate(recording.lines, 1) if '"event": "ask"' in text)
    found = differences(new_loop(seed=4), recording.journal)
    assert found[0].line == line
    assert found[0].recorded == recording.lines[line - 1]
    assert found[0].replayed != found[0].recorded


def test_a_stop_is_recorded_with_the_rule_the_step_the_value_and_the_threshold():
    recording = Recording(new_loop())
    (trial,) = submitted(recording.handle(SlotsFree(1)))
    (stop,) = recording.handle(
        TrialReported(trial.number, 1, (Report(0.9, 0), Report(0.25, 4), Report(0.3, 5)))
    )
    assert isinstance(stop, StopTrial)
    assert json.loads(recording.lines[-1]) == {
        "event": "report",
        "trial": 1,
        "attempt": 1,
        "reports": [[0, 0.9], [4, 0.25], [5, 0.3]],
        "stop": {
            "rule": "half",
            "step": 4,
            "value": 0.25,
            "threshold": 0.5,
            "words": "{value} is below {threshold}",
        },
    }


def test_a_trial_that_is_to_stop_is_not_judged_again():
    loop = new_loop()
    (trial,) = start(loop, 1)
    reports = (Report(0.1, 0), Report(0.1, 1))
    assert len(loop.handle(TrialReported(1, 1, reports))) == 1
    assert loop.handle(TrialReported(1, 1, (Report(0.0, 2),))) == []
    loop.handle(TrialDone(result_of(trial, 0.0, State.STOPPED)))
    assert (loop.counts.succeeded, loop.counts.stopped, loop.counts.failed) == (1, 1, 0)


def test_reports_of_an_attempt_that_was_lost_count_no_more():
    rule = BelowHalf()
    search = ListSearch([{"x": 1}])
    loop = TrialLoop(search, direction=Direction.MAX, retries=1, rule=rule)
    start(loop, 1)
    loop.handle(TrialReported(1, 1, (Report(0.1, 0),)))
    loop.handle(TrialLost(1, "SIGKILL"))
    (again,) = start(loop, 1)
    assert again.attempt == 2
    assert loop.handle(TrialReported(1, 1, (Report(0.1, 1),))) == []  # it came late
    assert loop.handle(TrialReported(1, 2, (Report(0.2, 0),))) == []  # its first
    loop.handle(TrialDone(result_of(again, 0.7)))
    assert rule.ended == [(1, [0.2])]


def test_a_rule_learns_of_a_trial_that_never_reported_and_not_of_one_that_failed():
    rule = BelowHalf()
    loop = TrialLoop(
        ListSearch([{"x": 1}, {"x": 2}]), direction=Direction.MAX, retries=0, rule=rule
    )
    first, second = start(loop, 2)
    loop.handle(TrialDone(result_of(first, 0.7)))
    failed = TrialResult(2, second.name, {}, State.FAILED, failure=Failure("E", "no"))
    loop.handle(TrialDone(failed))
    assert rule.ended == [(1, [])]


def test_a_search_may_pause_a_trial_or_give_it_more_to_spend():
    class Rungs(BaseSearch):
        total = 2

        def _propose(self, number):
            return {"x": number}

        def _described(self, proposal):
            from dataclasses import replace

            return replace(proposal, budget=1.0)

        def _judge(self, proposal, step, value):
            why = Why("rungs", value, "{value} is good")
            return GoOn(3.0, why) if value > 0.5 else Pause(why)

    def make():
        return TrialLoop(Rungs(), direction=Direction.MAX, retries=0)

    recording = Recording(make())
    first, _ = submitted(recording.handle(SlotsFree(2)))
    assert first.budget == 1.0
    assert first.name == "0001-budget=1.0-x=1"
    (more,) = recording.handle(TrialReported(1, 1, (Report(0.9, 0),)))
    assert isinstance(more, ExtendTrial)
    assert more.trial.budget == 3.0
    (pause,) = recording.handle(TrialReported(2, 1, (Report(0.1, 0),)))
    assert isinstance(pause, StopTrial)
    assert differences(make(), recording.journal) == []


def test_no_trial_is_proposed_when_the_budget_is_spent_and_those_that_run_end():
    loop = new_loop()
    (trial,) = start(loop, 1)
    loop.handle(BudgetSpent())
    assert start(loop, 4) == []
    assert not loop.finished
    loop.handle(TrialLost(trial.number, "SIGKILL"))
    (again,) = start(loop, 4)  # what was started is finished
    loop.handle(TrialDone(result_of(again, 0.5)))
    assert loop.finished


def test_results_from_storage_take_the_place_of_what_the_journal_says():
    recording = Recording(new_loop(samples=2))
    first, second = submitted(recording.handle(SlotsFree(2)))
    recording.handle(TrialDone(result_of(first, 0.5)))
    recording.handle(TrialDone(result_of(second, 0.75)))
    full = TrialResult(1, first.name, first.params, State.FINISHED, 0.5, {"size": 3})
    other = TrialResult(2, second.name, second.params, State.FINISHED, 0.1, {"size": 3})
    loop = new_loop(samples=2)
    counted = list(restored(loop, recording.journal, {1: full, 2: other}))
    assert counted == [full, other]
    assert loop.best == full
    assert loop._optimizer.best.value == 0.75  # the search goes on from what it was told


@pytest.mark.parametrize(("then", "now"), [(0, 3), (3, 0)])
def test_a_search_goes_on_with_other_retries(then, now):
    recording = Recording(new_loop(samples=4, retries=then))
    first, second = submitted(recording.handle(SlotsFree(2)))
    recording.handle(TrialLost(first.number, "SIGKILL"))
    third, *_ = submitted(recording.handle(SlotsFree(2)))
    recording.handle(TrialDone(result_of(third, 0.5)))
    recording.handle(TrialDone(result_of(second, 0.5)))
    loop = new_loop(samples=4, retries=now)
    counted = list(
        restored(
            loop,
            recording.journal,
            {n: result_of(t, 0.5) for n, t in ((second.number, second), (third.number, third))},
        )
    )
    assert loop.counts == recording.loop.counts
    assert loop.trials == recording.loop.trials
    lost = [result for result in counted if not result.succeeded]
    assert [result.number for result in lost] == ([first.number] if then == 0 else [])


def test_a_search_whose_time_was_spent_goes_on_when_it_is_resumed():
    recording = Recording(new_loop(samples=4))
    (first,) = submitted(recording.handle(SlotsFree(1)))
    recording.handle(BudgetSpent())
    recording.handle(TrialDone(result_of(first, 0.5)))
    assert recording.loop.finished
    loop = new_loop(samples=4)
    assert list(restored(loop, recording.journal, {1: result_of(first, 0.5)}))
    loop.reopen()
    assert not loop.finished
    assert [trial.number for trial in start(loop, 1)] == [2]
    recording.lines.append(run_line({}, {}))
    recording.loop.reopen()
    recording.handle(SlotsFree(1))
    journal = recording.journal
    assert [list(replayed(new_loop(samples=4), journal, run)) for run in journal.runs] == [[], []]


def test_a_trial_whose_files_are_gone_runs_again_and_the_search_is_told_once():
    recording = Recording(new_loop(samples=2))
    first, second = submitted(recording.handle(SlotsFree(2)))
    recording.handle(TrialDone(result_of(first, 0.9)))
    recording.handle(TrialDone(result_of(second, 0.6)))
    again = Recording(new_loop(samples=2))
    kept = {2: result_of(second, 0.6)}
    assert list(restored(again.loop, recording.journal, kept)) == [kept[2]]
    assert again.loop.best.number == 2
    assert again.loop.counts.succeeded == 1
    again.lines = [*recording.lines, run_line({}, {})]
    for number in again.loop.gone:
        again.handle(TrialRepeated(number))
    (repeated,) = submitted(again.handle(SlotsFree(2)))
    assert (repeated.number, repeated.params) == (1, first.params)
    assert repeated.may_have_begun
    again.handle(TrialReported(1, 1, (Report(0.1, 0), Report(0.1, 1))))  # judged the first time
    again.handle(TrialDone(result_of(repeated, 0.7)))
    assert again.loop.finished
    assert again.loop.best.metric == 0.7
    assert again.loop._optimizer.best.value == 0.9
    journal = again.journal
    assert [list(replayed(new_loop(samples=2), journal, run)) for run in journal.runs] == [[], []]
    third = new_loop(samples=2)
    results = {1: result_of(repeated, 0.7), 2: kept[2]}
    assert {r.number: r.metric for r in restored(third, journal, results)} == {1: 0.7, 2: 0.6}
    assert (third.best.metric, third.counts.succeeded, third.gone) == (0.7, 2, [])


def test_a_result_that_was_kept_and_came_later_counts_and_the_search_goes_on_from_the_failure():
    recording = Recording(new_loop(samples=2))
    first, second = submitted(recording.handle(SlotsFree(2)))
    failed = replace(
        result_of(first, None, State.FAILED), failure=Failure("StorageUnavailableError", "away")
    )
    recording.handle(TrialDone(failed))
    recording.handle(TrialDone(result_of(second, 0.25)))
    loop = new_loop(samples=2)
    results = {1: result_of(first, 0.75), 2: result_of(second, 0.25)}
    assert [result.metric for result in restored(loop, recording.journal, results)] == [0.75, 0.25]
    assert loop.best.number == 1
    assert loop.counts.failed == 0
    assert loop._optimizer.best.value == 0.25


def test_a_journal_of_a_search_that_proposes_less_is_an_error_that_names_the_trial():
    recording = Recording(new_loop(samples=3))
    recording.handle(SlotsFree(3))
    with pytest.raises(DamagedFileError, match="in line 3 trial 3, which the search does not prop"):
        list(restored(new_loop(samples=2), recording.journal, {}))


def test_after_a_decision_that_differs_what_cannot_be_ends_the_replay():
    recording = Recording(new_loop(samples=3))
    _, second = submitted(recording.handle(SlotsFree(2)))
    recording.handle(TrialDone(result_of(second, 0.5)))
    found = differences(new_loop(samples=1), recording.journal)
    assert [(bad.line, bad.replayed is None) for bad in found] == [(3, False), (4, True)]


def test_a_resumed_run_says_what_its_search_repeats():
    recording = Recording(new_loop(samples=3))
    (first,) = submitted(recording.handle(SlotsFree(1)))
    recording.lines.append(run_line({"num_trials": 5}, {2: {"rate": 0.5, "units": 3}}))
    first_run, second_run = recording.journal.runs
    assert (first_run.making, first_run.recalled, first_run.lines) == ({}, {}, range(3, 4))
    assert second_run.making == {"num_trials": 5}
    assert second_run.recalled == {1: first.params, 2: {"rate": 0.5, "units": 3}}
    assert second_run.lines == range(5, 5)


def test_a_run_without_lines_replays_though_a_later_one_has_more_trials():
    recording = Recording(new_loop(samples=2))
    done = {
        trial.number: result_of(trial, 0.5) for trial in submitted(recording.handle(SlotsFree(2)))
    }
    for result in done.values():
        recording.handle(TrialDone(result))
    recording.lines += [run_line({}, {}), run_line({}, {})]
    recording.loop = new_loop(samples=4)
    assert len(list(restored(recording.loop, recording.journal, done))) == 2
    recording.handle(SlotsFree(2))
    first, idle, last = recording.journal.runs
    assert list(replayed(new_loop(samples=2), recording.journal, first)) == []
    assert list(replayed(new_loop(samples=2), recording.journal, idle)) == []
    assert list(replayed(new_loop(samples=4), recording.journal, last)) == []


def test_results_have_the_values_of_the_search_and_not_their_images_in_files():
    def loop():
        space = SearchSpace({"kernel": Categorical([(3, 3)]), "rate": [0.0, 1.0]})
        search = RandomSearch(space, samples=2, seed=3)
        return TrialLoop(search, direction=Direction.MAX, retries=1)

    recording = Recording(loop())
    first, second = submitted(recording.handle(SlotsFree(2)))
    for trial in (first, second):
        recording.handle(TrialDone(result_of(trial, 0.5)))
    known = {
        1: replace(result_of(first, 0.5), params={**first.params, "kernel": [3, 3]}),
        2: replace(result_of(second, 0.5), params={**second.params, "rate": 2.0}),  # damaged
    }
    again = loop()
    (counted,) = restored(again, recording.journal, known)
    assert counted.params == first.params
    assert counted.params["kernel"] == (3, 3)
    assert again.gone == [2]


def test_a_run_that_lacks_something_is_an_error_that_names_its_line():
    journal = Journal.read("journal.jsonl", header_line("x") + '{"event": "run"}\n')
    with pytest.raises(DamagedFileError, match="wrong line 2"):
        journal.runs  # noqa: B018 - it raises


def test_a_line_that_was_cut_short_is_left_out():
    content = header_line("digits-1") + '{"event": "spent"}\n{"event": "rep'
    assert Journal.read("journal.jsonl", content).entries == ({"event": "spent"},)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not begin with the header"),
        ('{"event": "spent"}\n', "does not begin with the header"),
        ('{"event": "begin", "schema": 9, "experiment": "x"}\n', "has schema 9, not 1"),
        (header_line("x") + "{\n", "line 2 what is not JSON"),
        (header_line("x") + "[1]\n", "line 2 what is no entry"),
    ],
)
def test_what_is_no_journal_is_an_error_that_names_the_file(content, said):
    with pytest.raises(DamagedFileError, match=said) as raised:
        Journal.read("journal.jsonl", content)
    assert "journal.jsonl" in str(raised.value)


def test_an_event_of_a_newer_version_is_an_error_that_names_the_line():
    journal = Journal.read("journal.jsonl", header_line("x") + '{"event": "forked"}\n')
    with pytest.raises(DamagedFileError, match="line 2 the event 'forked'"):
        list(restored(new_loop(), journal, {}))
