from __future__ import annotations

import math

from hopsml_flows.search import Why


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
