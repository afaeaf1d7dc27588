from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from hopsml_flows.driver.trial_table import TrialTable
from hopsml_flows.search import Direction
from hopsml_flows.text import fitting
from hopsml_flows.trials import Failure, State, TrialResult


def trial(number, params, metric=None, failure=None, **outputs):
    return TrialResult(
        number,
        f"{number:04d}",
        params,
        State.FAILED if failure else State.FINISHED,
        metric,
        outputs,
        f"{number:04d}-x",
        started=0.0,
        ended=1.5,
        failure=failure,
    )


def result(number, **params):
    accuracy = number / 7
    return trial(number, params, accuracy, accuracy=accuracy, log=f"E/e/{number}/output.log")


def test_budgets_have_a_column_where_there_are_some():
    lines, _ = drawn([replace(result(n, x=n), budget=3**n) for n in (1, 2)], 80)
    rows = [[cell.strip() for cell in line[1:-1].split(line[0])] for line in lines[2:6]]
    assert rows[0][:3] == ["#", "budget", "x"]
    assert [row[:3] for row in rows[2:]] == [["1", "3", "1"], ["2", "9", "2"]]


def drawn(trials, width, best=None, encoding="utf-8", direction=None):
    """Lines of the table, and those below it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width)
    table, notes = TrialTable(
        "trials of x", trials, best, lambda text: fitting(text, stream), direction
    ).drawn(width)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().rstrip().split("\n")
    for line in lines:
        assert cell_len(line) <= width
        line.encode(encoding)
    return [line.rstrip() for line in lines], notes


def cells(line):
    return line.replace("┃", " ").replace("│", " ").split()


FEW = [result(n, learning_rate=1 / 3 / 10**n, dropout=n / 10, batch_size=32) for n in range(1, 4)]
MANY = [
    result(n, **{f"hyperparameter_{k}": (n * k if k % 5 else 3) / 7 for k in range(40)})
    for n in range(1, 4)
]
LONG = [
    result(n, augmentation=f"{n} " + "crop and flip and turn " * 20, rate=n / 1000)
    for n in range(1, 4)
]


@pytest.mark.parametrize("trials", [FEW, MANY, LONG], ids=["few", "many", "long"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 300])
def test_every_trial_keeps_number_metric_and_state_at_every_width(trials, width):
    failed = trial(4, trials[0].params, failure=Failure("ValueError", "something went wrong"))
    lines, _ = drawn([*trials, failed], width)
    head = next(cells(line) for line in lines if "#" in line)
    assert head[0] == "#"
    assert head[-1] == "state"
    assert "accuracy" in head
    rows = [cells(line) for line in lines if cells(line)[:1] and cells(line)[0].isdigit()]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    for number, row in enumerate(rows[:3], 1):
        assert f"{number / 7:.6g}" in row
        assert row[-1] == "FINISHED"
    assert any(cell.startswith("FAILED") for cell in rows[3])


@pytest.mark.parametrize("width", [40, 60, 80])
def test_what_differs_between_trials_comes_before_what_they_have_alike(width):
    lines, notes = drawn(FEW, width)
    for number in range(1, 4):
        assert any(f"{1 / 3 / 10**number:.6g}" in cells(line) for line in lines), lines
        assert any(f"{number / 10:.6g}" in cells(line) for line in lines), lines
    if not any("batch_size" in line for line in lines):
        assert "The same in all trials: batch_size=32" in notes


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_there_is_no_room_for_is_named_below(width):
    lines, notes = drawn(MANY, width)
    [alike] = [note for note in notes if note.startswith("The same in all trials: ")]
    assert "hyperparameter_5=0.428571" in alike
    [lost] = [note for note in notes if note.startswith("No room for: ")]
    shown = len(next(cells(line) for line in lines if "#" in line)) - len(
        ["#", "accuracy", "state"]
    )
    # Of 32 that differ; and the time.
    assert lost.count("hyperparameter_") + ("time" in lost) == 32 + 1 - shown
    assert lost.endswith("(see .summary.json)")


@pytest.mark.parametrize("width", range(40, 140, 7))
def test_no_number_is_cut(width):
    values = [-1.2345678e-100, 123456.7, 1e300]
    trials = [result(n, a=value, b=-value, c=1 / value) for n, value in enumerate(values, 1)]
    lines, _ = drawn(trials, width)
    whole = {f"{v:.6g}" for value in values for v in (value, -value, 1 / value)}
    whole |= {f"{n / 7:.6g}" for n in range(1, 4)} | {"1", "2", "3", "1.5", "s", "FINISHED"}
    rows = [cells(line) for line in lines if cells(line)[:1] and cells(line)[0].isdigit()]
    assert len(rows) == 3
    assert {cell for row in rows for cell in row} <= whole


def test_where_all_fits_the_table_has_lines_and_all_columns():
    lines, notes = drawn(FEW, 100)
    assert "┏" in lines[1]
    assert cells(lines[2]) == [
        "#",
        "learning_rate",
        "dropout",
        "batch_size",
        "accuracy",
        "time",
        "state",
    ]
    assert notes == []


def test_reasons_of_failures_get_the_room_that_is_left():
    trials = [*FEW, trial(4, FEW[0].params, failure=Failure("ValueError", "no\nroom " + "x" * 99))]
    assert any("FAILED ValueError: no room" in line for line in drawn(trials, 120)[0])
    assert any("FAILED Val" in line for line in drawn(trials, 80)[0])


def test_a_reason_that_is_cut_keeps_its_end():
    message = "{{node " + "a/b/c " * 50 + "}} Incompatible shapes: [2] vs. [3]"
    lines, _ = drawn([*FEW, trial(4, FEW[0].params, failure=Failure("ValueError", message))], 120)
    [row] = [line for line in lines if "FAILED" in line]
    assert "FAILED ValueError: {{node" in row
    assert "shapes: [2] vs. [3]" in row


def test_values_and_names_are_shown_as_they_are_and_not_as_markup():
    trials = [result(n, **{"[b]x": value}) for n, value in enumerate(["[/red]", "[bold]", ":cat:"])]
    lines, _ = drawn(trials, 80)
    text = "\n".join(lines)
    for shown in ("[b]x", "[/red]", "[bold]", ":cat:"):
        assert shown in text


def test_nothing_of_a_value_reaches_the_terminal_but_what_is_to_be_read():
    trials = [result(1, x="\x1b]0;title\x07a\nb \x1b[31mred"), result(2, x="caf\udce9 日本")]
    text = "\n".join(drawn(trials, 80)[0])
    assert "a b red" in text
    assert r"caf\udce9 日本" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_that_knows_ascii_alone_gets_nothing_else(width):
    trials = [
        *LONG,
        trial(4, {"rate": 1.0, "augmentation": "für 日本" * 20}, failure=Failure("E", "…")),
    ]
    text = "\n".join(drawn(trials, width, encoding="ascii")[0])
    assert text.isascii()
    assert "..." in text


def test_a_metric_that_is_minus_zero_is_zero_and_one_that_lacks_in_the_outputs_is_shown():
    trials = [replace(result(n, x=n), metric=-0.0, outputs={}) for n in (1, 2)]
    lines, _ = drawn(trials, 80)
    assert cells(lines[2]) == ["#", "x", "metric", "time", "state"]
    assert cells(lines[4])[:3] == ["1", "1", "0"]


def test_the_log_and_outputs_that_no_trial_has_are_no_columns():
    launched = trial(1, {}, metric=None, log="E/e/output.log")
    launched.outputs["metric"] = None
    assert cells(drawn([launched], 80)[0][2]) == ["#", "time", "state"]


def test_attached_files_are_shown_by_their_names():
    attached = trial(1, {}, 0.5, loss=0.5, plot="Experiments/e/0001-x/plot.png", log="l")
    text = "\n".join(drawn([attached], 80)[0])
    assert " plot.png " in text
    assert "Experiments" not in text


@pytest.mark.parametrize(
    ("direction", "shown", "note"),
    [
        (Direction.MAX, range(30, 10, -1), "The best 20 of 31 trials (see .summary.json)"),
        (Direction.MIN, range(1, 21), "The best 20 of 31 trials (see .summary.json)"),
        (None, range(21), "The first 20 of 31 trials (see .summary.json)"),
    ],
)
def test_of_many_trials_the_best_twenty_are_shown(direction, shown, note):
    failed = trial(0, {"x": 0}, failure=Failure("ValueError", "no"))
    lines, notes = drawn([failed, *(result(n, x=n) for n in range(1, 31))], 80, direction=direction)
    rows = [int(cells(line)[0]) for line in lines if line.startswith("│")]
    assert rows == list(shown)[:20]
    assert notes == [note]


def test_an_experiment_without_trials_has_an_empty_table():
    assert cells(drawn([], 80)[0][2]) == ["#", "time", "state"]
