from __future__ import annotations

import pytest

from hopsml_flows.driver.failure_summary import failure_lines, faults, place_text
from hopsml_flows.trials import Failure, State, TrialResult

HERE = "/home/me/project"


def good(number):
    return TrialResult(number, str(number), {}, State.FINISHED, 1.0)


def bad(number, message="no data", kind="ValueError", place=f"{HERE}/train.py:12", **params):
    failure = Failure(kind, message, place=place)
    return TrialResult(number, str(number), params, State.FAILED, failure=failure)


def lines_of(*trials, width=80, here=HERE):
    return failure_lines(trials, lambda n: f"hopsml logs digits-1 {n}", width=width, here=here)


def test_without_failures_nothing_is_said():
    assert lines_of(good(1), good(2)) == []
    assert lines_of() == []


def test_a_failure_is_told_once_with_its_place_trials_and_command():
    trials = [good(1), *(bad(number) for number in (7, 3, 2, 9, 4, 5, 6)), good(8)]
    assert lines_of(*trials) == [
        "Failures:    7 of 9 trials",
        "  ValueError: no data",
        "    at train.py:12",
        "    7 trials: 2, 3, 4, 5, 6, …",
        "    log: hopsml logs digits-1 2",
    ]


def test_one_trial_and_all_of_a_few_are_named():
    assert "    trial 2" in lines_of(good(1), bad(2))
    assert "    3 trials: 2, 4, 6" in lines_of(bad(6), bad(4), bad(2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bad(1, "no data for 1"), bad(2, "no data for 22")),
        (bad(1, "object at 0x7f01ab"), bad(2, "object at 0x7F02")),
        (bad(1, "no 'adam'", optimizer="adam"), bad(2, "no 'sgd'", optimizer="sgd")),
        (bad(1, "no adamw", o="adam", p="adamw"), bad(2, "no b", o="a", p="b")),
    ],
    ids=["numbers", "addresses", "hyperparameters", "longer values first"],
)
def test_messages_that_differ_in_values_alone_are_of_one_failure(one, other):
    [fault] = faults([one, other])
    assert fault.failure is one.failure
    assert fault.trials == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        bad(2, kind="KeyError"),
        bad(2, place=f"{HERE}/train.py:13"),
        bad(2, place=""),
        bad(2, "no memory"),
    ],
    ids=["type", "line", "no line", "message"],
)
def test_failures_that_differ_otherwise_are_told_apart(other):
    assert [fault.trials for fault in faults([bad(1), other])] == [(1,), (2,)]


def test_the_most_frequent_failure_comes_first_and_many_are_counted():
    words = ["zero", "one", "two", "three", "four", "five", "six"]
    trials = [bad(number, f"no {word}") for number, word in enumerate(words, 1)]
    lines = lines_of(*trials, bad(8, "no six"), bad(9, "no five"), bad(10, "no five"))
    assert [line for line in lines if line.startswith("  Value")] == [
        "  ValueError: no five",
        "  ValueError: no six",
        "  ValueError: no zero",
        "  ValueError: no one",
        "  ValueError: no two",
    ]
    assert lines[-1] == "  and 2 more kinds of failures, of 2 trials"


def test_a_failure_without_a_place_has_no_line_of_one():
    lines = lines_of(bad(1, "its process was ended", kind="WorkerLostError", place=""))
    assert lines == [
        "Failures:    1 of 1 trial",
        "  WorkerLostError: its process was ended",
        "    trial 1",
        "    log: hopsml logs digits-1 1",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_long_reasons_are_wrapped_and_keep_their_end(width):
    message = "{{node " + "a/b/c " * 500 + "}} Incompatible shapes: [2,3] vs. [4,5]"
    lines = lines_of(bad(1, message), width=width)
    reason = lines[1 : lines.index("    at train.py:12")]
    assert all(len(line) <= width for line in reason)
    assert sum(map(len, reason)) < 1000
    text = " ".join(line.strip() for line in reason)
    assert text.startswith("ValueError: {{node a/b/c")
    assert text.endswith("Incompatible shapes: [2,3] vs. [4,5]")


def test_commands_and_places_are_not_broken():
    place = f"{HERE}/{'deep/' * 30}train.py:12"
    lines = lines_of(bad(1, place=place), width=40)
    assert f"    at {'deep/' * 30}train.py:12" in lines
    assert "    log: hopsml logs digits-1 1" in lines


@pytest.mark.parametrize(
    ("place", "here", "shown"),
    [
        ("/a/b/c.py:1", "/a/b", "c.py:1"),
        ("/a/b/c.py:1", "/a/b/", "c.py:1"),
        ("/a/bb/c.py:1", "/a/b", "/a/bb/c.py:1"),
        ("/a/c.py:1", "/", "a/c.py:1"),
        ("/a/c.py:1", "", "/a/c.py:1"),
        ("<stdin>:1", "/a", "<stdin>:1"),
    ],
)
def test_places_are_relative_to_the_current_directory(place, here, shown):
    assert place_text(place, here) == shown


def test_lines_in_a_message_become_one():
    assert "  ValueError: two lines" in lines_of(bad(1, "two\n  lines"))
