from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html import unescape

import pytest
from markdown_it import MarkdownIt

from hopsml_flows.search import Direction, Why
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.prefect.leaderboard import leader_rows, leaderboard_note
from hopsml_flows.tracking.prefect.markdown import Standing, fitted, page, table_note, trial_rows
from hopsml_flows.trials import Counts, Failure, State, TrialResult
from hopsml_flows.trials.learning_curves import Leader


def good(number, metric, /, **params):
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


def test_a_hyperparameter_may_be_called_like_a_column_of_the_table():
    (row,) = trial_rows([good(1, 0.5, metric="l2", state="on", x=1)], Direction.MAX)
    assert (row["metric"], row["metric (parameter)"]) == (0.5, "l2")
    assert (row["state"], row["state (parameter)"], row["x"]) == ("FINISHED", "on", 1)


def test_the_table_has_the_metric_by_its_name_and_the_other_outputs():
    def trial(number, score, **more):
        outputs = {"score": score, "log": f"Experiments/e/{number:04d}/output.log", **more}
        return replace(good(number, score, x=1 / 3), outputs=outputs, directory=f"{number:04d}")

    rows = trial_rows(
        [
            trial(1, 0.1234567891, loss=2 / 3, plot="Experiments/e/0001/curve.png"),
            trial(2, 0.5, state="tuned", x=3, loss=1e-10 / 3),
            BAD,
        ],
        Direction.MAX,
        "score",
    )
    assert [list(row) for row in rows] == 3 * [
        ["trial", "x", "score", "state (output)", "x (output)", "loss", "plot",
         "state", "seconds", "error"]
    ]  # fmt: skip
    assert [row["score"] for row in rows] == [0.5, 0.123457, None]
    assert [row["loss"] for row in rows] == [3.33333e-11, 0.666667, None]
    assert [row["plot"] for row in rows] == [None, "curve.png", None]
    assert [row["x"] for row in rows] == [0.333333, 0.333333, 1]


def test_a_single_output_is_the_metric_and_has_no_column_of_its_own():
    one = replace(good(1, 0.5), outputs={"accuracy": 0.5, "log": "Experiments/e/0001/output.log"})
    (row,) = trial_rows([one], Direction.MAX, "metric")
    assert list(row) == ["trial", "metric", "state", "seconds", "error"]


def test_a_launch_shows_what_its_trials_returned():
    one = replace(good(1, None), outputs={"metric": "text", "log": "Experiments/e/0001/output.log"})
    (row,) = trial_rows([one], None)
    assert (row["metric"], row["metric (output)"]) == (None, "text")


def test_a_trial_of_many_outputs_shows_some():
    many = replace(good(1, 0.5), outputs={f"o{number}": number for number in range(500)})
    (row,) = trial_rows([many], Direction.MAX, "o1")
    assert sum(name.startswith("o") for name in row) == 21


def test_long_and_huge_values_are_cut():
    (row,) = trial_rows([good(1, 0.5, a="x" * 10_000, b="one\ntwo\x1b[31m", c=2**80)], None)
    assert row["a"] == "x" * 66 + "…" + "x" * 133
    assert row["b"] == "one two"
    assert row["c"] == str(2**80)


@pytest.mark.parametrize(
    "text",
    ["adam_w", "a_b_c", "1e-3", "-x", "3.5", "a/b.py:f", "f(x) = 2 | no", "<class 'int'>", "*a*",
     "_a_", "`a`", "[a](b)", "[a]: b", "[1, 2]", "# a", "- a", "1. a", "---",
     "a & b &lt;", "~~a~~", "a\\*"],
)  # fmt: skip
def test_a_cell_is_shown_as_it_is_where_it_is_taken_for_markdown(text):
    (row,) = trial_rows([good(1, 0.5, a=text)], None)
    html = MarkdownIt("commonmark").enable("strikethrough").render(row["a"])
    assert unescape(html) == f"<p>{text}</p>\n"
    if re.fullmatch(r"[\w/.:()=| -]+", text) and text not in ("_a_", "- a", "1. a", "---"):
        assert row["a"] == text


def test_rows_fit_into_a_request_the_best_ones():
    rows = trial_rows([good(n, float(n), a="x" * 200) for n in range(500)], Direction.MAX)
    fewer = fitted(rows, 20_000)
    assert 0 < len(fewer) < len(rows)
    assert fewer == rows[: len(fewer)]
    assert len(json.dumps(fewer)) <= 20_000
    assert fitted(rows, 10) == []
    assert fitted(rows) is rows


def test_the_note_says_where_the_rest_is():
    assert table_note("grid_search a-1", 3, 3, "/p") == r"Trials of grid\_search a\-1"
    note = table_note("x", 500, 2000, "s3://bucket/p")
    assert (
        note
        == "Trials of x: the best 500 of 2000; all of them are in `s3://bucket/p/.summary.json`"
    )


RECORD = ExperimentRecord(
    id="digits-20260101-000000-abcdef",
    name="digits",
    project="demo",
    function="grid_search",
    experiment_type="PARALLEL_EXPERIMENTS",
    train="train.py:train",
    direction="MAX",
    optimization_key="accuracy",
    duration=75.4,
)
COUNTS = Counts(12, 2, 7, 1)


def rendered(standing):
    """The page as HTML, by CommonMark with tables."""
    return MarkdownIt("commonmark").enable("table").render(page(standing))


def test_a_page_has_the_best_trial_counts_and_links():
    best = good(3, 0.9375, learning_rate=0.001, act="relu")
    best = replace(best, outputs={"accuracy": 0.9375, "loss": 0.2}, directory="0003-a")
    running = Standing(RECORD, "/p/Experiments/e", COUNTS, best, [BAD], "http://127.0.0.1:6006/")
    text = page(running)
    for part in (
        "## digits: RUNNING",
        "| best accuracy | 0.9375 \\(MAX\\) |",
        "| trials | 8 of 12 done, 1 failed, 2 running |",
        "| time | 0:01:15 |",
        "| directory | `/p/Experiments/e` |",
        "| TensorBoard | <http://127.0.0.1:6006/> |",
        "| learning\\_rate | 0.001 |",
        "| loss | 0.2 |",
        "Directory: `/p/Experiments/e/0003-a`",
        "- 0009: ValueError: no",
    ):
        assert part in text
    over = replace(
        running,
        record=replace(
            RECORD, state=State.FINISHED, options={"seeds": {"experiment": "d-1", "trials": ["a"]}}
        ),
        pictures="http://127.0.0.1:4200/artifacts/key/digits-pictures",
    )
    assert "| TensorBoard | `hopsml tensorboard digits-20260101-000000-abcdef` |" in page(over)
    assert "| begins with | 1 seeds of d\\-1 |" in page(over)
    assert '<a href="http://127.0.0.1:4200/artifacts/key/digits-pictures">' in rendered(over)
    killed = replace(running, record=replace(RECORD, state=State.KILLED, error="TerminationSignal"))
    assert "TerminationSignal" in page(killed)
    assert page(Standing(RECORD, "/p", Counts(None, 0, 0, 0)))


def test_a_page_tells_the_last_reasons_and_where_the_others_are():
    reasons = [f"Trial {number} was stopped by x: its 0.1 is below 1" for number in range(1, 15)]
    counts = Counts(20, 2, 14, 0, stopped=14, saved=75.0)
    text = page(Standing(RECORD, "/p", counts, reasons=reasons))
    assert "| trials | 14 of 20 done, 0 failed, 2 running, 14 stopped early (1:15 saved) |" in (
        text.replace("\\", "")
    )
    assert "- Trial 4 was" not in text
    assert text.count("was stopped by") == 10
    assert "- Trial 14 was stopped by x: its 0.1 is below 1" in text
    assert "- 4 more before: `hopsml show digits-20260101-000000-abcdef` has all" in text
    few = page(Standing(RECORD, "/p", counts, reasons=reasons[:2]))
    assert "more before" not in few
    assert few.count("was stopped by") == 2


def test_the_table_has_budgets_and_why_trials_were_stopped_where_there_are_some():
    why = Why("floor", 0.1, "its {value} is below {threshold}", 2, 0.5)
    stopped = replace(good(1, 0.1, x=1), state=State.STOPPED, why_stopped=why, budget=3)
    rows = trial_rows([stopped, replace(good(2, 0.9, x=2), budget=9)], Direction.MAX)
    assert [row["budget"] for row in rows] == [9, 3]
    assert [row["state"] for row in rows] == ["FINISHED", "STOPPED"]
    assert [row["stopped by"] for row in rows] == [
        "",
        "floor at step 2: its 0.1 is below 0.5",
    ]
    (row,) = trial_rows([good(1, 0.1, budget="low")], Direction.MAX)
    assert "stopped by" not in row
    assert row["budget (parameter)"] == "low"


def leader(number, value, state="RUNNING", **more):
    return Leader(number, {"x": number, **more.pop("params", {})}, state, value, 3, value, **more)


def test_the_leaderboard_has_a_row_per_leader_in_their_order():
    rows = leader_rows([leader(4, 0.9), leader(2, 1 / 3, "STOPPED")], "acc")
    assert [list(row) for row in rows] == 2 * [
        ["rank", "trial", "state", "acc", "best acc", "step", "x"]
    ]
    assert [list(row.values()) for row in rows] == [
        [1, 4, "RUNNING", 0.9, 0.9, 3, 4],
        [2, 2, "STOPPED", 0.333333, 0.333333, 3, 2],
    ]


def test_the_leaderboard_tells_hyperparameters_from_its_own_columns():
    (row,) = leader_rows([leader(4, 0.9, budget=3, params={"step": 7, "rank": "a|b"})])
    assert (row["budget"], row["step"], row["step (parameter)"]) == (3, 3, 7)
    assert (row["rank"], row["rank (parameter)"], row["metric"]) == (1, "a|b", 0.9)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


@pytest.mark.parametrize(
    ("shown", "count", "over", "words"),
    [
        (3, 3, False, "3 trials; a trial that runs counts by its last report"),
        (1, 1, True, "1 trial"),
        (20, 45, True, "the best 20 of 45"),
    ],
)
def test_the_leaderboards_note_says_what_it_shows(shown, count, over, words):
    assert leaderboard_note("x", shown, count, over=over) == f"Leaderboard of x: {words}"


NASTY = "a|b\n# c <script>alert(1)</script> [x](javascript:y) `z` **w** ![i](http://e) $m$ &lt; \\"


def test_nothing_of_the_users_is_taken_for_markdown_or_html():
    best = replace(good(1, 0.5, **{NASTY: NASTY, "y": 1}), name=NASTY, outputs={NASTY: NASTY})
    bad = replace(BAD, name=NASTY, failure=Failure("ValueError", NASTY))
    record = replace(
        RECORD, name=NASTY, description=NASTY, error=NASTY, train=NASTY, optimization_key=NASTY,
        state=State.FAILED,
    )  # fmt: skip
    clean = replace(best, name="n", params={"x": 1, "y": 1}, outputs={"o": 1})
    plain = rendered(
        Standing(
            replace(RECORD, description="d", error="e", state=State.FAILED),
            "/p", COUNTS, clean, [BAD], None, "pictures",
        )
    )  # fmt: skip
    html = rendered(
        Standing(record, f"/p/{NASTY}", COUNTS, best, [bad], f"http://e/{NASTY}", NASTY)
    )

    def tags(text):
        # What is of a fixed width may be shown in another way.
        return [tag for tag in re.findall(r"</?(\w+)", text) if tag != "code"]

    assert tags(html) == tags(plain)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert html.count("[x](javascript:y)") == html.count("a|b")  # shown as it is written


def test_a_page_stays_short_whatever_the_trials():
    many = good(1, 0.5, **{f"p{n}": "x" * 9999 for n in range(500)})
    failures = [replace(BAD, number=n, failure=Failure("E", "y" * 9999)) for n in range(1000)]
    text = page(Standing(RECORD, "/p", COUNTS, many, failures))
    assert len(text) < 20_000
    assert "| and 470 more | |" in text
    assert "- and 995 more" in text
