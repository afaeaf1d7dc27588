from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len

from hopsml_flows.tracking import open_progress, show_start
from hopsml_flows.tracking.progress_line import ProgressLine, clock, time_left
from hopsml_flows.trials import Counts, State, TrialResult

TIME = r"\d+:\d\d"

BEST = TrialResult(3, "0003-x=1", {"x": 1}, State.FINISHED, 0.75)


@pytest.mark.parametrize(
    ("counts", "elapsed", "earlier", "left"),
    [
        (Counts(10, 2, 4, 1), 10.0, 0, 10.0),
        (Counts(4, 0, 4, 0), 8.0, 0, 0.0),
        (Counts(10, 2, 0, 0), 10.0, 0, None),
        (Counts(None, 2, 5, 0), 10.0, 0, None),
        (Counts(10, 2, 5, 1), 10.0, 4, 20.0),
        (Counts(10, 2, 4, 0), 10.0, 4, None),
    ],
)
def test_the_time_left_follows_the_pace_of_this_run(counts, elapsed, earlier, left):
    assert time_left(counts, elapsed, earlier) == left


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (90061, "25:01:01")]
)
def test_times_have_hours_from_one_hour_on(seconds, shown):
    assert clock(seconds) == shown


LINE = ProgressLine(Counts(240, 16, 100, 3), BEST, 3725.0, metric="validation_accuracy")


@pytest.mark.parametrize("width", range(30, 200))
def test_trials_failures_and_times_are_never_cut(width):
    bar, text = LINE.fitted(width)
    whole = "103/240 trials · 3 failed · 1:02:05 elapsed · 1:22:35 left"
    parts = text.split(" · ")
    assert [part for part in whole.split(" · ") if part not in parts] == []
    assert cell_len(text) + (bar + 1 if bar else 0) <= max(width, cell_len(whole))


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, (24, LINE.whole)),
        (119, (12, LINE.whole.replace(" · 16 running", ""))),
        (80, (0, LINE.whole.replace(" · 16 running", "").replace("validation_accuracy ", ""))),
        (79, (0, LINE.whole.replace(" · 16 running", "").partition(" · best")[0]
              + " · best 0.75 · 1:02:05 elapsed · 1:22:35 left")),
    ],
)  # fmt: skip
def test_a_narrow_terminal_shows_less_of_what_is_said_elsewhere(width, shown):
    assert LINE.fitted(width) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, "9/13 trials · 2 running · 8 stopped (0:18 saved) · best loss 0.0237948 (trial 9)"),
        (80, "9/13 trials · 8 stopped (0:18 saved) · best 0.0237948"),
        (79, "9/13 trials · 8 stopped · best 0.0237948"),
        (55, "9/13 trials · 8 stopped"),
    ],
)  # fmt: skip
def test_stopped_trials_and_the_time_that_this_saved_are_shown_where_there_is_room(width, shown):
    best = TrialResult(9, "0009", {}, State.FINISHED, 0.0237948)
    counts = Counts(13, 2, 9, 0, stopped=8, saved=18.2)
    _, text = ProgressLine(counts, best, 6.3, metric="loss").fitted(width)
    assert text == f"{shown} · 0:06 elapsed · 0:03 left"


def test_the_clock_starts_with_the_first_trial(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("hopsml_flows.tracking.progress.time.monotonic", lambda: now[0])
    with open_progress(show=True) as progress:
        now[0] += 50  # server and workers are being started
        progress.begin(Counts(6, 0, 2, 0))
        now[0] += 10
        progress.update(Counts(6, 2, 3, 0), None)
    assert capsys.readouterr().out == "3/6 trials · 2 running · 0:10 elapsed · 0:30 left\n"


def test_without_a_terminal_it_prints_plain_lines(capsys):
    with open_progress(show=True, metric="accuracy") as progress:
        progress.update(Counts(6, 2, 1, 1), BEST)
    out = capsys.readouterr().out
    shown = (
        r"2/6 trials · 2 running · 1 failed · best accuracy 0\.75 \(trial 3\) · "
        r"TIME elapsed · TIME left\n"
    )
    assert re.fullmatch(shown.replace("TIME", TIME), out)
    assert "\x1b" not in out


def test_plain_lines_are_few_unless_forced(capsys):
    with open_progress(show=True) as progress:
        for done in range(5):
            progress.update(Counts(6, 1, done, 0), None)
        progress.update(Counts(6, 0, 6, 0), None, force=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["0/6", "6/6"]


def test_an_unknown_total_and_no_best_are_shown_so(capsys):
    with open_progress(show=True) as progress:
        progress.update(Counts(None, 1, 2, 0), None)
    out = capsys.readouterr().out
    assert re.fullmatch(rf"2/\? trials · 1 running · {TIME} elapsed\n", out)


def test_on_request_it_is_silent(capsys):
    with open_progress(show=False) as progress:
        progress.update(Counts(6, 2, 1, 1), BEST, force=True)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def in_a_terminal(code):
    """What a program prints in a terminal of 120 columns."""
    main, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    for name in ("NO_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=child, stderr=child, stdin=child, env=environment
    )
    os.close(child)
    seen = b""
    try:
        while piece := os.read(main, 65536):
            seen += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(main)
    assert process.wait(60) == 0
    return seen.decode()


def test_a_note_is_a_line_of_its_own_that_is_never_left_out(capsys):
    with open_progress(show=True) as progress:
        progress.update(Counts(6, 2, 0, 0), None)
        progress.note("Generation 0 | [bold]average[/] metric 0.5")
        progress.note("Generation 1")
        progress.update(Counts(6, 2, 1, 0), None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["Generation 0 | [bold]average[/] metric 0.5", "Generation 1"]


def test_on_request_there_are_no_notes(capsys):
    with open_progress(show=False) as progress:
        progress.note("Generation 0")
    assert capsys.readouterr().out == ""


def test_in_a_terminal_a_note_stays_whole_above_the_line_that_is_redrawn():
    long = "Generation 0 | [bold]best[/] " + "x" * 200
    code = (
        "from hopsml_flows.tracking import open_progress\n"
        "from hopsml_flows.trials import Counts\n"
        "with open_progress(show=True) as progress:\n"
        "    progress.update(Counts(6, 1, 1, 0), None, force=True)\n"
        f"    progress.note({long!r})\n"
        "    progress.update(Counts(6, 1, 2, 0), None, force=True)\n"
    )
    text = in_a_terminal(code)
    before, _, after = text.partition(long)
    assert "1/6 trials" in before
    assert "2/6 trials" in after


def test_in_a_terminal_it_redraws_one_line_and_leaves_nothing_behind():
    code = (
        "from hopsml_flows.tracking import open_progress\n"
        "from hopsml_flows.trials import Counts\n"
        "with open_progress(show=True) as progress:\n"
        "    for done in range(7):\n"
        "        progress.update(Counts(6, 1, done, 0), None, force=True)\n"
        "print('after')\n"
    )
    text = in_a_terminal(code)
    assert "6/6 trials" in text
    assert "\x1b[2K" in text  # erased
    assert text.rsplit("\x1b[2K", 1)[1].strip().endswith("after")


def test_what_is_being_started_is_shown_in_a_terminal_and_goes():
    code = (
        "from hopsml_flows.tracking import show_start\n"
        "with show_start('the Prefect server', show={}):\n"
        "    pass\n"
        "print('after')\n"
    )
    seen = in_a_terminal(code.format(True))
    _, _, after = seen.partition("Starting the Prefect server")
    assert after
    assert "\x1b[2K" in after.partition("after")[0]  # the line is erased
    assert in_a_terminal(code.format(False)) == "after\r\n"


def test_what_is_being_started_is_not_shown_in_a_file(capsys):
    with show_start("the Prefect server", show=True):
        pass
    assert capsys.readouterr().out == ""
