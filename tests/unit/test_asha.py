from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Asha, Direction, GoOn, Pause, SearchSpace

LINE = SearchSpace({"x": [0.0, 1.0]})
THREE = SearchSpace({"x": ["a", "b", "c"]})


def asha(space=LINE, **settings):
    return Asha(space, **{"seed": 1, "reduction_factor": 2, "max_budget": 4, **settings})


def asked(search, count=1):
    return search.ask(count)


def budgets(search, values, direction=Direction.MAX):
    """Run one after the other; (budget, continues) of each, told the values of the table."""
    found = []
    sign = 1 if direction is Direction.MAX else -1
    for value in values:
        (proposal,) = search.ask(1)
        found.append((proposal.budget, proposal.continues))
        search.tell(proposal.id, sign * value)
    return found


# Worked by hand. Each row: what is told, and the budget that it is told of, with the number that
# this proposal continues. Reduction factor 2, budgets 1, 2, 4.
FALLING = [  # each configuration is worse than those before
    (0.9, 1, None),
    (0.8, 1, None),  # best 1 of 2: 1
    (0.9, 2, 1),
    (0.7, 1, None),  # best 1 of 3: 1, promoted already
    (0.6, 1, None),  # best 2 of 4: 1 and 2
    (0.8, 2, 2),  # at budget 2, best 1 of 2: 3
    (0.9, 4, 3),
    (0.5, 1, None),  # best 2 of 5
    (0.4, 1, None),  # best 3 of 6: 1, 2, 4
    (0.7, 2, 4),  # at budget 2, best 1 of 3: 3, promoted already
    (0.3, 1, None),
    (0.2, 1, None),  # best 4 of 8: 1, 2, 4, 5
    (0.6, 2, 5),  # at budget 2, best 2 of 4: 3 and 6
    (0.8, 4, 6),
]
RISING = [  # each configuration is better than those before
    (0.1, 1, None),
    (0.2, 1, None),  # best 1 of 2: 2
    (0.2, 2, 2),
    (0.3, 1, None),  # best 1 of 3: 4
    (0.3, 2, 4),  # at budget 2, best 1 of 2: 5
    (0.3, 4, 5),
    (0.4, 1, None),  # best 2 of 4: 7 and 4
    (0.4, 2, 7),  # at budget 2, best 1 of 3: 8
    (0.4, 4, 8),
    (0.5, 1, None),  # best 2 of 5: 10 and 7
    (0.5, 2, 10),
]
TIES = [
    (0.5, 1, None),
    (0.5, 1, None),  # 1 is the best of 2
    (0.5, 2, 1),
    (0.5, 1, None),
    (0.5, 1, None),  # 1 and 2 are the best 2 of 4
    (0.5, 2, 2),  # 3 is the best of 2 at budget 2
    (0.5, 4, 3),
]


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("table", [FALLING, RISING, TIES], ids=["falling", "rising", "ties"])
def test_one_after_the_other_the_rungs_are_those_of_the_table(direction, table):
    search = asha(direction=direction)
    expected = [(budget, continues) for _, budget, continues in table]
    assert budgets(search, [value for value, _, _ in table], direction) == expected


def test_the_serial_budgets_are_maggys():
    search = asha(num_trials=7)
    assert [budget for budget, _ in budgets(search, range(7, 0, -1))] == [1, 1, 2, 1, 1, 2, 4]
    assert search.finished


def test_with_a_factor_of_three_the_third_result_promotes():
    search = asha(reduction_factor=3, max_budget=9)
    found = budgets(search, [0.1, 0.3, 0.2, 0.3, 0.1, 0.1])
    assert found == [(1, None), (1, None), (1, None), (3, 2), (1, None), (1, None)]


def test_several_at_once_are_promoted_as_results_come():
    search = asha()
    assert [p.budget for p in search.ask(4)] == [1, 1, 1, 1]
    search.tell(3, 0.3)
    (fifth,) = search.ask(1)
    assert (fifth.budget, fifth.continues) == (1, None)
    search.tell(1, 0.1)
    (sixth,) = search.ask(1)
    assert (sixth.budget, sixth.continues) == (2, 3)
    search.tell(2, 0.9)
    search.tell(4, 0.8)
    assert [(p.budget, p.continues) for p in search.ask(3)] == [(2, 2), (2, 4), (1, None)]


def test_a_promotion_has_the_same_parameters_and_says_why():
    search = asha(direction="min")
    first, second = search.ask(2)
    search.tell(first.id, 0.4)
    search.tell(second.id, 0.3)
    (third,) = search.ask(1)
    assert third.params == second.params
    assert (third.budget, third.continues) == (2, 2)
    assert str(third.why) == "asha: its 0.3 is the best of 2 at budget 1"
    assert third.why.threshold == 0.3


def test_failures_are_never_promoted_and_count_for_nothing():
    search = asha()
    for proposal in search.ask(4):
        search.tell(proposal.id, failure="lost")
    search.tell(search.ask(1)[0].id, float("nan"))
    (sixth,) = search.ask(1)
    assert sixth.continues is None
    search.tell(sixth.id, 0.5)
    assert search.ask(1)[0].continues is None
    search.tell(7, 0.4)
    assert search.ask(1)[0].continues == 6


def test_a_promotion_that_fails_is_not_promoted_again():
    search = asha()
    for proposal in search.ask(2):
        search.tell(proposal.id, 0.5)
    (third,) = search.ask(1)
    assert third.continues == 1
    search.tell(third.id, failure="lost")
    assert [p.continues for p in search.ask(3)] == [None, None, None]


def test_a_number_of_trials_ends_the_search():
    search = asha(num_trials=9)
    assert search.total == 9
    assert len(search.ask(50)) == 9
    assert search.ask(1) == []
    for number in range(1, 10):
        assert not search.finished
        search.tell(number, 0.5)
    assert search.finished


@pytest.mark.parametrize(
    ("settings", "fewest"),
    [
        ({"reduction_factor": 2, "max_budget": 4}, 7),
        ({"reduction_factor": 3, "max_budget": 9}, 13),
        ({"reduction_factor": 3, "max_budget": 26}, 13),
        ({"reduction_factor": 5, "min_budget": 0.1, "max_budget": 0.5}, 6),
    ],
)
def test_too_few_trials_to_reach_the_top_are_refused_with_the_least_number(settings, fewest):
    with pytest.raises(InvalidArgumentError, match=rf"^num_trials: must be at least {fewest}: "):
        asha(num_trials=fewest - 1, **settings)
    search = asha(num_trials=fewest, **settings)
    found = budgets(search, range(fewest, 0, -1))
    assert max(budget for budget, _ in found) == search.budgets[-1]


@pytest.mark.parametrize("number", [0, -1, 7.5, "7", True])
def test_a_number_of_trials_that_is_none_is_refused(number):
    with pytest.raises(InvalidArgumentError, match=r"^num_trials: "):
        asha(num_trials=number)


def test_without_a_number_of_trials_there_is_no_end():
    search = asha()
    assert search.total is None
    for proposal in search.ask(500):
        search.tell(proposal.id, proposal.params["x"])
    assert not search.finished
    assert len(search.ask(1)) == 1
    with pytest.raises(InvalidArgumentError, match=r"^count: .*no end"):
        search.ask()


def test_a_finite_space_waits_for_promotions_and_ends_without_more():
    search = asha(THREE, num_trials=50)
    assert search.total is None
    first, second, third = search.ask(5)
    assert search.ask(1) == []
    search.tell(first.id, 0.1)
    assert search.ask(1) == []
    search.tell(second.id, 0.2)
    (fourth,) = search.ask(2)
    assert (fourth.continues, fourth.budget) == (2, 2)
    search.tell(third.id, failure="lost")
    search.tell(fourth.id, 0.2)
    assert search.finished
    assert search.total == 4


def test_a_proposals_draw_does_not_depend_on_the_draws_before():
    straight = asha().ask(9)
    search = asha()
    for proposal in search.ask(4):
        search.tell(proposal.id, 0.5)
    later = search.ask(5)
    assert [p.continues for p in later] == [1, 2, None, None, None]
    assert later[2:] == straight[6:]


def test_initial_configurations_come_first_and_once():
    points = [{"x": 0.25}, {"x": 0.5}, {"x": 0.25}]
    found = [p.params["x"] for p in asha(initial=points).ask(4)]
    assert found[:2] == [0.25, 0.5]
    assert len(set(found)) == 4
    with pytest.raises(InvalidArgumentError, match=r"^initial: must be at most num_trials=7"):
        asha(num_trials=7, initial=[{"x": 0.5}] * 8)


@pytest.mark.parametrize("seed", [-1, 1.5, "3", True])
def test_a_seed_must_be_an_integer_of_at_least_zero(seed):
    with pytest.raises(InvalidArgumentError, match=r"^seed: "):
        asha(seed=seed)


def test_without_a_seed_every_search_is_another_one():
    assert asha(seed=None).ask(1) != asha(seed=None).ask(1)


# Recalled proposals


def through_json(proposals):
    return {p.id: replace(p, params=json.loads(json.dumps(p.params))) for p in proposals}


def run_of(search, count, *, order=1):
    """Ask one by one, and tell all but the last two at once."""
    found = []
    for _ in range(count):
        found += search.ask(1)
        running = sorted(search._pending)[::order]
        for number in running[:-2]:
            search.tell(number, search._pending[number].params["x"])
    return found


def test_recalled_promotions_come_again_though_results_come_in_another_order():
    whole = run_of(asha(), 30)
    assert any(p.continues for p in whole)
    resumed = asha(seed=2)
    resumed.recall(through_json(whole))
    again = resumed.ask(30)  # nothing told yet
    assert again == whole
    for proposal in reversed(again):
        resumed.tell(proposal.id, proposal.params["x"])
    continued = [p.continues for p in again if p.continues is not None]
    assert {p.continues for p in resumed.ask(30)}.isdisjoint(continued)


def test_parameters_alone_tell_who_was_promoted():
    whole = run_of(asha(), 30)
    resumed = asha(seed=2)
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in whole})
    assert run_of(resumed, 30) == whole


def test_a_promotion_that_is_recalled_for_later_is_not_made_before():
    whole = run_of(asha(), 30)
    promotion = next(p for p in whole if p.continues is not None)
    resumed = asha(seed=2)
    resumed.recall(through_json([whole[promotion.continues - 1], promotion]))
    again = run_of(resumed, 30)
    assert [p.id for p in again if p.continues == promotion.continues] == [promotion.id]
    assert again[promotion.id - 1] == promotion


def test_a_recalled_promotion_without_what_it_continues_begins_from_the_start():
    whole = run_of(asha(), 30)
    promotion = next(p for p in whole if p.continues is not None)
    resumed = asha(seed=2)
    resumed.recall({promotion.id: promotion})
    found = run_of(resumed, promotion.id)[-1]
    assert (found.params, found.budget) == (promotion.params, promotion.budget)
    assert found.continues is None


def test_what_is_recalled_and_not_of_this_search_is_left_out():
    (first,) = asha(THREE).ask(1)
    for recalled in (
        {1: {"x": "z"}, 2: {"y": 1}, 3: replace(first, id=3, budget=77)},
        {1: first, 2: replace(first, id=2)},  # the same budget again
    ):
        search = asha(THREE)
        search.recall(recalled)
        found = search.ask(9)
        assert [p.budget for p in found] == [1, 1, 1]
        assert len({p.params["x"] for p in found}) == 3


# Reports


def on_reports(**settings):
    return asha(on_reports=True, **settings)


def test_a_trial_that_is_among_the_best_goes_on():
    search = on_reports()
    first, second = search.ask(2)
    paused = search.report(first.id, 0, 0.5)
    assert isinstance(paused, Pause)
    assert str(paused.why) == (
        "asha at step 0: its 0.5 is the first result at budget 1; the best is chosen from 2"
    )
    went_on = search.report(second.id, 0, 0.6)
    assert went_on == GoOn(2, went_on.why)
    assert str(went_on.why) == "asha at step 0: its 0.6 is the best of 2 at budget 1"
    # It counts in the next rung, which has no other result.
    assert isinstance(search.report(second.id, 1, 0.7), Pause)


def test_a_trial_reports_as_often_as_its_budget_before_it_is_judged():
    search = on_reports(min_budget=3, max_budget=12)
    (first,) = search.ask(1)
    assert [search.report(first.id, step, 0.5) for step in range(2)] == [None, None]
    assert isinstance(search.report(first.id, 2, 0.5), Pause)
    assert search.report(first.id, 3, 0.5) is None


def test_a_report_of_a_step_that_was_reported_counts_for_nothing():
    search = on_reports(min_budget=3, max_budget=12)
    (first,) = search.ask(1)
    for step in (10, 10, 20, 10, 20):  # the trial was lost, and began again
        assert search.report(first.id, step, 0.5) is None
    assert isinstance(search.report(first.id, 30, 0.5), Pause)


def test_a_trial_that_is_lost_while_it_pauses_is_judged_again():
    search = on_reports(min_budget=2, max_budget=8)
    first, second = search.ask(2)
    for trial, value in ((first.id, 0.5), (second.id, 0.4)):
        assert search.report(trial, 0, value) is None
        search.report(trial, 1, value)
    search.restart(second.id)
    assert search.report(second.id, 0, 0.9) is None
    paused = search.report(second.id, 1, 0.9)
    assert isinstance(paused, Pause)
    assert paused.why.value == 0.4  # its result is the first one
    search.tell(second.id, 0.9)
    search.tell(first.id, 0.5)
    assert [(p.continues, p.budget) for p in search.ask(1)] == [(1, 4)]


def test_a_trial_that_is_lost_after_it_went_on_has_its_larger_budget():
    search = on_reports()
    first, second = search.ask(2)
    search.report(first.id, 0, 0.1)
    assert isinstance(search.report(second.id, 0, 0.9), GoOn)
    search.restart(second.id)
    assert search.report(second.id, 0, 0.9) is None
    assert isinstance(search.report(second.id, 1, 0.9), Pause)


def test_a_trial_that_is_lost_before_it_reports_begins_as_any_other():
    search = on_reports()
    (first,) = search.ask(1)
    search.restart(first.id)
    assert isinstance(search.report(first.id, 0, 0.5), Pause)


def test_a_recalled_promotion_of_a_trial_that_went_on_has_the_budget_after():
    def run(search):
        first, second, third = search.ask(3)
        search.report(first.id, 0, 0.1)
        assert isinstance(search.report(second.id, 0, 0.9), GoOn)
        assert isinstance(search.report(second.id, 1, 0.9), Pause)
        search.tell(second.id, 0.9)
        assert isinstance(search.report(third.id, 0, 0.95), GoOn)
        assert isinstance(search.report(third.id, 1, 0.5), Pause)
        return [first, second, third, *search.ask(2)]

    whole = run(on_reports())
    assert (whole[3].continues, whole[3].budget) == (2, 4)
    for recalled in (
        through_json(whole),
        {p.id: json.loads(json.dumps(p.params)) for p in whole},
    ):
        resumed = on_reports(seed=2)
        resumed.recall(recalled)
        assert run(resumed) == whole


def test_a_paused_trial_is_continued_only_after_it_has_ended():
    search = on_reports()
    for proposal, value in zip(search.ask(3), [0.9, 0.5, 0.4], strict=True):
        search.report(proposal.id, 0, value)
    assert [p.continues for p in search.ask(1)] == [None]
    search.tell(2, 0.5)
    assert [p.continues for p in search.ask(1)] == [None]
    search.tell(1, 0.9)
    (proposal,) = search.ask(1)
    assert (proposal.continues, proposal.budget) == (1, 2)
    assert str(proposal.why) == "asha: its 0.9 is the best of 3 at budget 1"


def test_a_paused_trial_that_fails_is_not_continued():
    search = on_reports()
    for proposal, value in zip(search.ask(2), [0.9, 0.5], strict=True):
        search.report(proposal.id, 0, value)
    search.tell(1, failure="lost")
    search.tell(2, 0.5)
    assert [p.continues for p in search.ask(3)] == [None, None, None]


def test_a_trial_that_goes_on_is_not_continued_from_the_rung_below():
    search = on_reports()
    first, second = search.ask(2)
    search.report(first.id, 0, 0.1)
    assert isinstance(search.report(second.id, 0, 0.9), GoOn)
    search.tell(first.id, 0.1)
    search.report(second.id, 1, 0.95)  # pauses at budget 2
    search.tell(second.id, 0.95)
    assert search.best.proposal.budget == 2
    assert [p.continues for p in search.ask(2)] == [None, None]


def test_what_is_told_of_a_trial_that_went_on_counts_at_its_present_budget():
    search = on_reports()
    first, second = search.ask(2)
    search.report(first.id, 0, 0.1)
    search.report(second.id, 0, 0.9)
    search.tell(second.id, 0.95)  # it ended by itself
    third, fourth = search.ask(2)
    search.report(third.id, 0, 0.5)
    decision = search.report(fourth.id, 0, 0.8)  # best 2 of 4: 2 and 4
    assert decision == GoOn(2, decision.why)
    decision = search.report(fourth.id, 1, 0.99)  # better than the 0.95 at budget 2
    assert decision == GoOn(4, decision.why)


def test_a_failure_after_it_went_on_leaves_the_results_of_the_rungs_below():
    search = on_reports()
    first, second = search.ask(2)
    search.report(first.id, 0, 0.1)
    search.report(second.id, 0, 0.9)
    search.tell(second.id, failure="lost")
    search.tell(first.id, 0.1)
    (third,) = search.ask(1)
    # 0.9 of trial 2 is still the best of three.
    assert isinstance(search.report(third.id, 0, 0.5), Pause)


def test_a_trial_with_the_largest_budget_is_left_alone():
    search = on_reports(max_budget=2)
    first, second = search.ask(2)
    search.report(first.id, 0, 0.1)
    assert isinstance(search.report(second.id, 0, 0.9), GoOn)
    assert [search.report(second.id, step, 0.9) for step in range(1, 9)] == [None] * 8


def test_a_value_that_is_not_finite_pauses_and_is_never_promoted():
    search = on_reports()
    first, second = search.ask(2)
    paused = search.report(first.id, 0, float("nan"))
    assert str(paused.why) == "asha at step 0: its nan is not finite"
    assert isinstance(search.report(second.id, 0, 0.5), Pause)  # one result, not two
    search.tell(first.id, float("nan"))
    search.tell(second.id, 0.5)
    assert [p.continues for p in search.ask(2)] == [None, None]


def test_a_paused_trial_that_diverged_counts_for_nothing_by_its_last_finite_report():
    search = on_reports()
    first, second = search.ask(2)
    assert isinstance(search.report(first.id, 0, math.nan), Pause)
    search.tell(first.id, 0.9)  # its result, since an early stop keeps what was finite
    assert isinstance(search.report(second.id, 0, 0.5), Pause)  # one result, not two
    search.tell(second.id, 0.5)
    assert [p.continues for p in search.ask(2)] == [None, None]


def test_the_steps_of_a_continued_trial_go_on():
    search = on_reports()
    for proposal, value in zip(search.ask(2), [0.9, 0.5], strict=True):
        for step in range(3):  # two too many, until the pause arrives
            search.report(proposal.id, step, value)
        search.tell(proposal.id, value)
    (third,) = search.ask(1)
    assert (third.continues, third.budget) == (1, 2)
    # It began again from the start: these steps are known.
    assert [search.report(third.id, step, 0.9) for step in range(3)] == [None] * 3
    assert isinstance(search.report(third.id, 3, 0.9), Pause)


def test_without_reports_it_promotes_as_results_come():
    search = on_reports(num_trials=7)
    assert [budget for budget, _ in budgets(search, range(7, 0, -1))] == [1, 1, 2, 1, 1, 2, 4]


def test_reports_decide_nothing_unless_asked_for():
    search = asha()
    (first,) = search.ask(1)
    assert [search.report(first.id, step, 0.5) for step in range(9)] == [None] * 9


def test_budgets_of_reports_are_integers():
    with pytest.raises(InvalidArgumentError, match=r"^min_budget: must be an integer"):
        on_reports(min_budget=0.5)
