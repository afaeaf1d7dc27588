from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import GoOn, Proposal, Why


def test_why_reads_as_a_sentence_with_or_without_a_step_and_a_threshold():
    assert str(Why("own", 1 / 3, "{value} is enough")) == "own: 0.333333 is enough"
    assert str(Why("own", 2.0, "{value} < {threshold}", 7, 3.0)) == "own at step 7: 2 < 3"
    assert str(Why("own", math.nan, "{value} < {threshold}", 0, 3.0)) == "own at step 0: nan < 3"


def test_numbers_that_six_digits_do_not_tell_apart_have_all_digits():
    why = Why("own", 0.12345678, "{value} < {threshold}", 7, 0.12345679)
    assert str(why) == "own at step 7: 0.12345678 < 0.12345679"
    assert str(Why("own", 1 / 3, "{value} = {threshold}", 7, 1 / 3)).endswith("0.333333 = 0.333333")


def test_braces_of_the_words_other_than_the_two_stay():
    assert str(Why("own", 1.0, "{value} in {1, 2}")) == "own: 1 in {1, 2}"


NUMBERS = [np.float32(0.5), np.float64(0.5), np.array([0.5]), np.array(0.5), Decimal("0.5")]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_numbers_of_other_libraries_become_pythons_and_go_into_json(number):
    why = Why("own", number, "{value} < {threshold}", np.int64(7), number)
    assert why == Why("own", 0.5, "{value} < {threshold}", 7, 0.5)
    assert Why.from_json(json.loads(json.dumps(why.as_json()))) == why
    assert type(GoOn(number, why).budget) is float
    proposal = Proposal(np.int64(3), {}, budget=number, continues=np.int32(1))
    numbers = (proposal.id, proposal.budget, proposal.continues)
    assert [(type(found), found) for found in numbers] == [(int, 3), (float, 0.5), (int, 1)]


def test_a_whole_budget_stays_whole():
    assert repr(Proposal(1, {}, budget=np.int64(9)).budget) == "9"
    assert repr(GoOn(9, Why("own", 1, "")).budget) == "9"


def test_a_value_that_is_not_finite_is_a_reason():
    assert str(Why("own", np.float32("nan"), "its {value}", threshold=-math.inf)) == "own: its nan"


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("value", lambda: Why("own", "0.5", "")),
        ("value", lambda: Why("own", None, "")),
        ("value", lambda: Why("own", True, "")),
        ("threshold", lambda: Why("own", 1, "", threshold=[1, 2])),
        ("step", lambda: Why("own", 1, "", 0.5)),
        ("rule", lambda: Why(Why, 1, "")),
        ("words", lambda: Why("own", 1, None)),
        ("budget", lambda: GoOn(math.inf, Why("own", 1, ""))),
        ("budget", lambda: Proposal(1, {}, budget=math.nan)),
        ("budget", lambda: Proposal(1, {}, budget="9")),
        ("continues", lambda: Proposal(2, {}, continues="1")),
        ("id", lambda: Proposal("1", {})),
    ],
)
def test_what_is_no_number_is_an_error_where_it_is_made(argument, make):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}: must be "):
        make()
