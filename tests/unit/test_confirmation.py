"""Estimates from fresh seeds, which trials they need, and who is promoted. Pure."""

from __future__ import annotations

import json
import math

import pytest

from hopsml_flows.search import Direction
from hopsml_flows.trials import State, TrialResult, trial_seed
from hopsml_flows.trials.confirmation import (
    MOST_SEEDS,
    Champion,
    Confirmation,
    Contest,
    Contestant,
    Promotion,
    Repetitions,
    Role,
    compare,
    confirmation_facts,
    decide,
    estimate,
    fresh_seeds,
    promotion_text,
)
from hopsml_flows.trials.confirmation.promotion import probability_text
from hopsml_flows.trials.confirmation.student_t import t_cdf, t_quantile

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: upper critical values of Student's t.
TABLE = [
    (1, 0.90, 3.078), (1, 0.975, 12.706), (1, 0.99, 31.821), (2, 0.95, 2.920), (2, 0.99, 6.965),
    (4, 0.975, 2.776), (5, 0.95, 2.015), (9, 0.995, 3.250), (10, 0.975, 2.228), (30, 0.95, 1.697),
    (60, 0.975, 2.000), (99, 0.999, 3.175), (100, 0.99, 2.364),
]  # fmt: skip

# Student, "The probable error of a mean", Biometrika 6, 1908, table on page 20: additional hours of
# sleep gained by ten patients with each of two drugs. He finds that the second is the better one
# with a probability of .9985. Of the same data, R's t.test says t = 4.0621, df = 9, p = 0.002833
# and the interval 0.7001142 to 2.4598858.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.mark.parametrize(("degrees", "probability", "value"), TABLE)
def test_quantiles_are_those_of_the_published_table(degrees, probability, value):
    assert t_quantile(probability, degrees) == pytest.approx(value, abs=6e-4)
    assert t_quantile(1 - probability, degrees) == pytest.approx(-value, abs=6e-4)
    assert t_cdf(value, degrees) == pytest.approx(probability, abs=2e-4)


@pytest.mark.parametrize("value", [-1e200, -40.0, -1.0, -1e-3, 0.0, 1e-3, 0.7, 2.5, 90.0, 1e200])
def test_the_distribution_has_its_closed_forms(value):
    assert t_cdf(value, 1) == pytest.approx(0.5 + math.atan(value) / math.pi, abs=1e-12)
    root = math.sqrt(2 + value * value) if abs(value) < 1e100 else abs(value)
    assert t_cdf(value, 2) == pytest.approx(0.5 + value / (2 * root), abs=1e-12)


def test_the_distribution_ends_at_0_and_1():
    assert (t_cdf(-math.inf, 3), t_cdf(math.inf, 3)) == (0.0, 1.0)


def test_students_own_example_has_his_probability_and_interval():
    found = compare(SECOND, FIRST, Direction.MAX)
    assert found.pairs == 10
    assert round(found.probability, 4) == 0.9986  # to one more digit, .99858
    assert found.probability == pytest.approx(1 - 0.002833 / 2, abs=1e-6)
    assert found.difference.mean == pytest.approx(1.58)
    assert found.difference.low == pytest.approx(0.7001142, abs=1e-6)
    assert found.difference.high == pytest.approx(2.4598858, abs=1e-6)


def test_what_is_to_be_small_is_better_where_it_is_smaller():
    found = compare(SECOND, FIRST, Direction.MIN)
    assert found.probability == pytest.approx(0.002833 / 2, abs=1e-6)
    assert found.difference.mean == pytest.approx(-1.58)


def test_only_seeds_on_which_both_have_a_metric_are_compared():
    found = compare([*SECOND, None, 5.0], [*FIRST, 5.0, None], Direction.MAX)
    assert found == compare(SECOND, FIRST, Direction.MAX)
    assert compare([1.0, None], [None, 1.0], Direction.MAX) is None
    assert compare([1.0, None], [2.0, 1.0], Direction.MAX) is None


@pytest.mark.parametrize(
    ("ours", "others", "probability"),
    [([0.3, 0.3], [0.1, 0.1], 1.0), ([0.1, 0.1], [0.3, 0.3], 0.0), ([0.1, 0.7], [0.1, 0.7], 0.5)],
)
def test_differences_without_spread_leave_no_doubt(ours, others, probability):
    assert compare(ours, others, Direction.MAX).probability == probability


@pytest.mark.parametrize(
    ("ours", "others", "direction", "probability"),
    [
        ([0.9, 0.8, 0.9], [0.8, 0.7, 0.8], Direction.MAX, 0.875),  # ten examples, one more is right
        ([0.9, 0.8, 0.9], [0.8, 0.7, 0.8], Direction.MIN, 0.125),
        ([5, 4, 5, 3, 5], [4, 3, 4, 2, 4], Direction.MAX, 1 - 2**-5),
        ([0.9, 0.8, None, 0.7], [0.8, 0.7, 0.7, None], Direction.MAX, 0.75),
        ([0.9, 0.8], [0.9, 0.8], Direction.MAX, 0.5),
        # Accuracies as floats of 32 bits: their differences are equal but for the last digits.
        ([0.9300000071525574, 0.949999988079071], [0.9200000166893005, 0.9399999976158142],
         Direction.MAX, 0.75),
    ],
)  # fmt: skip
def test_equal_differences_of_a_function_that_draws_are_no_certainty(
    ours, others, direction, probability
):
    assert compare(ours, others, direction).probability == probability


def test_one_number_has_no_interval_and_large_ones_do_not_overflow():
    assert estimate([]) is estimate([0.5]) is None
    found = estimate([1e308, 1e308, 1.2e308])
    assert found.mean == pytest.approx(1.0666666e308)
    assert found.low < found.mean
    assert estimate([0.1, 0.1, 0.1]).low == estimate([0.1, 0.1, 0.1]).mean == 0.1


@pytest.mark.parametrize("seed", [None, 7])
def test_no_trial_of_the_search_has_a_fresh_seed(seed):
    fresh = fresh_seeds("digits-1", seed, MOST_SEEDS)
    assert len(set(fresh)) == MOST_SEEDS
    root = "digits-1" if seed is None else seed
    assert not set(fresh) & {trial_seed(root, number) for number in range(1, 20_001)}
    assert fresh_seeds("digits-1", seed, 5) == fresh[:5]


@pytest.mark.parametrize("seed", [None, 7])
def test_a_search_that_runs_each_night_with_one_seed_has_other_fresh_seeds_each_night(seed):
    nights = [fresh_seeds(f"nightly-2026010{day}-020000-abcdef", seed, 5) for day in range(1, 10)]
    assert len({each for night in nights for each in night}) == 5 * 9


WINNER = Contestant(Role.WINNER, {"x": 3})
DEFAULTS = Contestant(Role.DEFAULTS, {"x": 1})
CHAMPION = Contestant(Role.CHAMPION, {"x": 2}, None, 4)
SEEDS = (11, 12, 13)
FOUND = TrialResult(7, "0007-x=3", {"x": 3}, State.FINISHED, metric=9.0)


def result_of(trial, metric):
    state = State.FAILED if metric is None else State.FINISHED
    return TrialResult(
        trial.number, trial.name, trial.params, state,
        metric=metric, directory=trial.directory, budget=trial.budget, seed=trial.seed,
    )  # fmt: skip


def contest_of(*contestants, **metrics):
    """A contest that is over: by role, the metric for each seed."""
    contest = Contest(contestants, SEEDS)
    places = dict.fromkeys(metrics, 0)
    roles = {each.params["x"]: each.role.value for each in contestants}
    for trial in contest.missing:
        role = roles[trial.params["x"]]
        contest.add(result_of(trial, metrics[role][places[role]]))
        places[role] += 1
    return contest


def confirmed(*contestants, **metrics):
    return contest_of(*contestants, **metrics).confirmation("accuracy", Direction.MAX, FOUND)


def test_each_contestant_meets_each_seed_once_seed_by_seed():
    missing = Contest([WINNER, DEFAULTS], SEEDS).missing
    assert [(trial.params["x"], trial.seed) for trial in missing] == [
        (3, 11), (1, 11), (3, 12), (1, 12), (3, 13), (1, 13),
    ]  # fmt: skip
    assert [trial.number for trial in missing if trial.params["x"] == 3] == [
        1000001, 1000002, 1000003,
    ]  # fmt: skip
    assert {trial.directory.partition("/")[0] for trial in missing} == {"confirmation"}
    assert len({trial.directory for trial in missing}) == 6


def test_a_resumed_contest_runs_only_what_has_no_result():
    first = Contest([WINNER, DEFAULTS], SEEDS)
    done = {trial.number: result_of(trial, 1.0) for trial in first.missing[:4]}
    began = {trial.number: trial.params for trial in first.missing[:5]}
    again = Contest([WINNER, DEFAULTS], SEEDS, earlier=done, began=began)
    assert again.missing == first.missing[4:]
    assert {result.number for result in again.results} == set(done)


def test_another_winner_after_a_resumption_has_trials_of_its_own():
    first = Contest([WINNER], SEEDS)
    done = {trial.number: result_of(trial, 1.0) for trial in first.missing}
    began = {trial.number: trial.params for trial in first.missing}
    other = Contest([Contestant(Role.WINNER, {"x": 5})], SEEDS, earlier=done, began=began)
    assert [trial.number for trial in other.missing] == [1001001, 1001002, 1001003]
    reseeded = Contest([WINNER], (21, 22, 23), earlier=done, began=began)
    assert [trial.number for trial in reseeded.missing] == [1001001, 1001002, 1001003]


def test_the_corrected_metric_stands_beside_the_one_that_the_search_found():
    found = confirmed(WINNER, DEFAULTS, winner=[0.90, 0.92, 0.94], defaults=[0.80, 0.83, 0.85])
    assert (found.optimistic, round(found.mean, 6)) == (9.0, 0.92)
    assert found.metrics == (0.90, 0.92, 0.94)
    assert found.interval == pytest.approx((0.8703172, 0.9696828), abs=1e-6)
    assert found.probability > 0.99
    words = dict(confirmation_facts(found))
    assert words["confirmed"].endswith("on 3 fresh seeds; the search found 9")
    assert "the winner is better with probability 0.99" in words["defaults"]


def test_a_confirmation_in_a_record_is_read_back():
    found = confirmed(
        WINNER, DEFAULTS, CHAMPION,
        winner=[3.0, None, 2.0], defaults=[1.0, 0.0, None], champion=[None, None, 1.0],
    )  # fmt: skip
    assert found.beats_champion is None
    assert Confirmation.from_json(json.loads(json.dumps(found.as_json()))) == found


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 3}, {"seeds": [1]}, {"winner": None}, {"winner": {}}, {"direction": "UP"},
        {"optimistic": "0.5"}, {"optimistic": math.nan}, {"metric": 5}, {"trial": "7"},
        {"defaults": []}, {"defaults": {"probability": 2}}, {"without_defaults": 5},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_confirmation_is_none(change):
    told = confirmed(WINNER, winner=[3.0, 1.0, 2.0]).as_json()
    assert Confirmation.from_json(told) is not None
    assert Confirmation.from_json({**told, **change}) is None
    assert Confirmation.from_json(None) is Confirmation.from_json([told]) is None


BEST = Champion("digits", 4, {"x": 2}, "digits-1")


def decided(winner, champion):
    return decide(confirmed(WINNER, CHAMPION, winner=winner, champion=champion), BEST)


def test_a_winner_that_is_better_beyond_doubt_is_promoted():
    found = decided([0.9, 0.92, 0.94], [0.8, 0.81, 0.84])
    assert found.promotes
    assert found.why == "it is better than version 4 with probability 0.9994"


def test_a_winner_that_may_be_lucky_is_refused():
    found = decided([0.9, 0.82, 0.84], [0.8, 0.83, 0.84])
    assert not found.promotes
    assert found.why == "it is better than version 4 only with probability 0.75; 0.95 is needed"


def test_as_many_right_answers_more_on_each_of_three_seeds_may_be_luck():
    found = decided([0.9, 0.8, 0.9], [0.8, 0.7, 0.8])
    assert not found.promotes
    assert found.why == "it is better than version 4 only with probability 0.87; 0.95 is needed"


def test_the_first_version_needs_to_beat_none():
    alone = confirmed(WINNER, winner=[0.1, 0.2, 0.3])
    assert decide(alone, None).promotes


def test_a_winner_that_fails_on_a_seed_is_refused():
    found = decided([0.9, None, 0.94], [0.1, 0.1, 0.1])
    assert (found.promotes, found.why) == (
        False, "1 of its 3 evaluations on fresh seeds failed, the first in trial 1000002",
    )  # fmt: skip


def test_a_champion_that_fails_cannot_be_beaten():
    found = decided([0.9, 0.9, 0.94], [None, 0.1, None])
    assert (found.promotes, found.why) == (
        False, "version 4 could not be evaluated on two of the seeds",
    )  # fmt: skip


def test_a_winner_with_the_champions_hyperparameters_is_refused():
    found = decide(confirmed(WINNER, winner=[1.0, 2.0, 3.0]), Champion("digits", 4, {"x": 3}))
    assert (found.promotes, found.why) == (False, "version 4 has the same hyperparameters")


def test_a_probability_below_the_threshold_does_not_look_like_it():
    assert probability_text(0.94999999) == "0.94"


PROMOTION = Promotion("digits", True, "it is better", 5, 4, 0.99, 0.9, 0.8, 1000001)


def test_a_promotion_in_a_record_is_read_back():
    assert Promotion.from_json(json.loads(json.dumps(PROMOTION.as_json()))) == PROMOTION
    assert promotion_text(PROMOTION) == "digits version 5: it is better"
    refused = Promotion("digits", False, "it is worse")
    assert promotion_text(refused) == "digits stays as it is: the winner was refused, it is worse"


@pytest.mark.parametrize(
    "change",
    [{"model": 1}, {"promoted": "yes"}, {"version": "5"}, {"probability": math.nan}, {"why": None}],
    ids=repr,
)
def test_what_is_no_promotion_is_none(change):
    assert Promotion.from_json({**PROMOTION.as_json(), **change}) is None
    assert Promotion.from_json({}) is Promotion.from_json("yes") is None


def test_repetitions_propose_each_trial_once_and_end_with_the_last_one_told():
    trials = Contest([WINNER, DEFAULTS], SEEDS).missing
    search = Repetitions(trials)
    first, rest = search.ask(2), search.ask()
    assert [each.params for each in (*first, *rest)] == [trial.params for trial in trials]
    assert search.ask() == []
    for trial in trials:
        assert not search.finished
        search.tell(trial.number, 1.0)
    assert search.finished


def test_a_repetition_ends_where_its_budget_of_reports_is_spent():
    (trial, *_) = Contest([Contestant(Role.WINNER, {"x": 3}, 2.0)], SEEDS).missing
    search = Repetitions([trial], top=4.0)
    search.ask()
    assert search.report(trial.number, 0, 0.5) is None
    assert search.report(trial.number, 0, 0.6) is None  # the same step again
    assert search.report(trial.number, 1, 0.7).why.value == 0.7
    search.restart(trial.number)
    assert search.report(trial.number, 0, 0.5) is None
    unlimited = Repetitions([trial], top=2.0)
    assert [unlimited.report(trial.number, step, 0.5) for step in range(9)] == [None] * 9
