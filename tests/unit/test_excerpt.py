from __future__ import annotations

import logging

import pytest

from hopsml_flows.execution.output import excerpt
from hopsml_flows.execution.output.excerpt import AT_ONCE, LINES_A_SECOND, Excerpt
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.trials import Rate

FILE = "/project/output.log"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Sent(list):
    """What was passed on: level and message."""

    def __call__(self, level, message):
        self.append((level, message))

    @property
    def messages(self):
        return [message for _, message in self]


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def taken(sent, clock):
    return Excerpt(sent, FILE, shared=Rate(burst=100_000, per_second=1000), clock=clock)


def test_lines_are_passed_on_with_the_level_of_what_is_printed(taken, sent):
    taken.take(["one", "", "two"], None, "")
    assert sent == [(logging.INFO, "one"), (logging.INFO, "two")]


def test_a_message_of_several_lines_is_passed_on_as_one_with_its_level(taken, sent):
    taken.take(["ERROR mine: failed", "Traceback", "  line"], logging.ERROR, "mine")
    assert sent == [(logging.ERROR, "ERROR mine: failed\nTraceback\n  line")]


def test_nothing_is_said_where_nothing_is_left_out(taken, sent, clock):
    for n in range(1000):
        taken.take([f"line {n}"], None, "")
        clock.now += 1 / LINES_A_SECOND
    taken.close()
    assert sent.messages == [f"line {n}" for n in range(1000)]


@pytest.mark.parametrize("together", [1, 1000])
def test_of_a_flood_so_many_a_second_are_passed_on_and_the_rest_is_counted(
    taken, sent, clock, together
):
    lines, seconds = 100_000, 50
    for start in range(0, lines, together):
        taken.take([f"line {n}" for n in range(start, start + together)], None, "")
        clock.now += seconds * together / lines
    taken.close()
    passed = [message for message in sent.messages if message.startswith("line ")]
    said = [message for message in sent.messages if message not in passed]
    assert AT_ONCE + 0.9 * seconds * LINES_A_SECOND <= len(passed) + together / 100
    assert len(passed) <= AT_ONCE + seconds * LINES_A_SECOND
    assert passed[:AT_ONCE] == [f"line {n}" for n in range(AT_ONCE)]
    assert 5 <= len(said) <= 7  # one in ten seconds
    counts = [
        int(message.removeprefix("lines left out here: ").removesuffix(f"; all are in {FILE}"))
        for message in said
    ]
    assert sum(counts) + len(passed) == lines
    assert sent.messages[-1] == said[-1]


def test_blank_lines_are_neither_passed_on_nor_counted(taken, sent):
    for _ in range(2):
        taken.take(["line", ""] * AT_ONCE, None, "")
    taken.close()
    assert sent.messages == ["line"] * AT_ONCE + [
        f"lines left out here: {AT_ONCE}; all are in {FILE}"
    ]


def test_messages_of_many_lines_count_once(taken, sent):
    for _ in range(AT_ONCE + 7):
        taken.take(["a", "b"], logging.INFO, "mine")
    taken.close()
    assert sent.messages[-1] == f"lines left out here: 7; all are in {FILE}"


def test_what_logs_share_limits_them_together(sent, clock):
    shared = Rate(burst=10, per_second=1)
    for _ in range(3):
        log = Excerpt(sent, FILE, shared=shared, clock=clock)
        log.take(["line"] * 6, None, "")
        log.close()
    assert sent.messages.count("line") == 10
    assert [m for m in sent.messages if m != "line"] == [
        f"lines left out here: {n}; all are in {FILE}" for n in (2, 6)
    ]
    clock.now += 3
    Excerpt(sent, FILE, shared=shared, clock=clock).take(["line"] * 6, None, "")
    assert sent.messages.count("line") == 13


def test_messages_that_are_known_already_are_left_out_unsaid(sent):
    log = Excerpt(sent, FILE, shared=Rate(burst=1, per_second=1), known="prefect.task_runs".__eq__)
    log.take(["INFO prefect.task_runs: hello"], logging.INFO, "prefect.task_runs")
    log.take(["INFO mine: hello"], logging.INFO, "mine")
    log.close()
    assert sent.messages == ["INFO mine: hello"]


def test_a_message_that_is_too_long_keeps_its_beginning_and_its_end(taken, sent):
    taken.take(["a" * 3000 + "b" * 20_000 + "c" * 3000], None, "")
    [message] = sent.messages
    assert message.startswith("a" * excerpt._HEAD + "\n[16000 characters left out]\nbbb")
    assert message.endswith("c" * 3000)
    assert len(message) < excerpt.LONGEST + 100


class Sink:
    """Keeps what a log hands it."""

    def __init__(self, error=None):
        self.got = []
        self.closed = 0
        self._error = error

    def take(self, lines, level, logger):
        self.got.append((list(lines), level, logger))
        if self._error:
            raise self._error

    def close(self):
        self.closed += 1
        if self._error:
            raise self._error


def test_a_log_hands_on_its_lines_as_they_are_in_the_file(tmp_path):
    sink = Sink()
    log = OutputLog(tmp_path / "log", sink)
    log.write("stdout", "no end")
    assert sink.got == []
    log.write("stdout", " until here\n\x1b[31mred\x1b[0m\n\nrest")
    log.write("logging", "WARNING mine: a\nb\n", level=logging.WARNING, logger="mine")
    log.note("of the project's own")
    log.note("attempt 2", level=logging.WARNING)
    log.write_bytes("process", "für C\n".encode())
    log.close()
    log.close()
    assert sink.got == [
        (["no end until here", "red", ""], None, ""),
        (["WARNING mine: a", "b"], logging.WARNING, "mine"),
        (["attempt 2"], logging.WARNING, ""),
        (["für C"], None, ""),
        (["rest"], None, ""),
    ]
    assert sink.closed == 1
    texts = [line.partition("Z ")[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert texts.pop(5) == "of the project's own"  # notes without a level are for the file alone
    assert texts == [line for lines, _, _ in sink.got for line in lines]


def test_a_sink_that_fails_costs_the_log_nothing(tmp_path):
    log = OutputLog(tmp_path / "log", Sink(OSError("away")))
    log.write("stdout", "one\n")
    log.write("stdout", "two\n")
    log.close()
    assert len((tmp_path / "log").read_text().splitlines()) == 2
