from __future__ import annotations

import json
import math

import pytest

from hopsml_flows.search import Direction
from hopsml_flows.tracking.artifacts import trial_rows
from hopsml_flows.trials import Failure, State, TrialResult


def good(number, metric, **params):
    return TrialResult(number, f"{number:04d}", params, State.FINISHED, metric)


BAD = TrialResult(9, "0009", {"x": 1}, State.FAILED, failure=Failure("ValueError", "no"))


@pytest.mark.parametrize(
    ("direction", "order"),
    [(Direction.MAX, [2, 3, 1, 9]), (Direction.MIN, [1, 3, 2, 9]), (None, [1, 2, 3, 9])],
)
def test_the_table_has_the_best_trials_first_and_failures_last(direction, order):
    rows = trial_rows([BAD, good(1, -5.0), good(2, 7.0), good(3, 0.0)], direction)
    assert [row["trial"] for row in rows] == order
    assert rows[-1]["error"] == "ValueError: no"


def test_equal_trials_keep_their_order():
    rows = trial_rows([good(number, 1.0) for number in (3, 1, 2)], Direction.MAX)
    assert [row["trial"] for row in rows] == [1, 2, 3]


def test_cells_are_json_whatever_the_parameters():
    (row,) = trial_rows([good(1, 0.5, a=[1, 2], b=None, c=math.nan, d="x", e=True)], Direction.MAX)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["a"], row["c"]) == ("[1, 2]", "nan")


def test_a_huge_experiment_shows_its_best_five_hundred():
    rows = trial_rows([good(number, float(number)) for number in range(1, 2001)], Direction.MAX)
    assert [row["trial"] for row in rows] == list(range(2000, 1500, -1))
