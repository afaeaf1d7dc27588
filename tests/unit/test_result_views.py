from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from hopsml_flows.search import Direction, Why
from hopsml_flows.trials import Failure, PageLink, RunResult, SearchResult, State, TrialResult
from hopsml_flows.trials.result_views import MOST_PICTURE_BYTES

HOSTILE = "<script>alert('x')</script>&\"\x1b[31mred\x1b[0m\udce9"
"""Text as a user's values may have it."""


def trial(number, metric):
    outputs = {"accuracy": metric, "log": f"Experiments/id/{number:04d}/output.log"}
    return TrialResult(
        number, f"{number:04d}", {"x": number}, State.FINISHED, metric, outputs, f"{number:04d}"
    )


def failed(number, message="no"):
    return TrialResult(
        number,
        f"{number:04d}",
        {"x": number},
        State.FAILED,
        directory=f"{number:04d}",
        failure=Failure("ValueError", message),
    )


def search(trials, *, direction=Direction.MAX, kind=SearchResult, **more):
    measured = [one for one in trials if one.metric is not None]
    best = min(measured, key=lambda one: direction.loss(one.metric)) if measured else None
    state = State.FINISHED if measured else State.FAILED
    return kind(
        "id-1", "grid_search", "/p/id-1", state, direction, best, tuple(trials), 3.0, **more
    )


class Page(HTMLParser):
    """The elements of an HTML text, each row of its tables, and the text that a reader sees."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.rows, self.text = [], [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if any(tag in self.open for tag in ("td", "th")):
            self.rows[-1][-1] += data


def page_of(result):
    page = Page(result._repr_html_())
    assert page.open == []
    return page


def test_a_result_says_in_two_lines_what_came_of_it_and_where_it_is():
    result = search([trial(1, 0.5), trial(2, 2 / 3), failed(3)])
    assert repr(result) == (
        "<SearchResult id-1: FINISHED, best accuracy 0.666667 (trial 2), 3 trials, 1 failed\n"
        " /p/id-1>"
    )
    assert str(result) == repr(result)


def test_the_metric_has_the_name_of_the_optimization_key():
    plain = dataclasses.replace(trial(1, 0.5), outputs={"metric": 0.5})
    assert "best metric 0.5" in repr(search([plain]))
    assert "best recall 0.5" in repr(search([plain], optimization_key="recall"))


def test_a_result_without_a_metric_says_how_many_trials_there_were():
    one = dataclasses.replace(trial(1, None), outputs={"metric": None})
    result = RunResult("id-1", "launch", "/p/id-1", State.FINISHED, None, one, (one,), 3.0)
    assert repr(result) == "<RunResult id-1: FINISHED, 1 trial\n /p/id-1>"
    assert "id-1 · launch: FINISHED, 1 trial, 0:00:03" in page_of(result).text


@pytest.mark.parametrize("direction", list(Direction))
def test_the_page_has_the_best_twenty_trials_the_best_first(direction):
    trials = [failed(1), *(trial(number, float(number)) for number in range(2, 32))]
    page = page_of(search(trials, direction=direction))
    head, *rows = page.rows[-21:]
    assert head == ["#", "x", "accuracy", "seconds", "state"]
    numbers = [int(row[0]) for row in rows]
    best = range(31, 11, -1) if direction is Direction.MAX else range(2, 22)
    assert numbers == list(best)
    assert "and 11 more" in page.text


def test_trials_that_failed_come_last_with_their_reason():
    page = page_of(search([failed(1, "no disk"), trial(2, 0.5)]))
    assert [row[0] for row in page.rows[-2:]] == ["2", "1"]
    assert page.rows[-1][-1] == "FAILED ValueError: no disk"
    assert "Trial 1 failed: ValueError: no disk" in page.text


def test_budgets_and_early_stops_are_shown_where_there_are_some():
    why = Why("floor", 0.1, "its {value} is below {threshold}", 2, 0.5)
    stopped = dataclasses.replace(trial(1, 0.1), state=State.STOPPED, why_stopped=why, budget=3)
    result = search([stopped, dataclasses.replace(trial(2, 0.9), budget=9)])
    assert "best accuracy 0.9 (trial 2), 2 trials, 1 stopped early" in repr(result)
    page = page_of(result)
    assert "2 trials, 1 stopped early" in page.text
    head, *rows = page.rows[-3:]
    assert head[:3] == ["#", "budget", "x"]
    assert [row[:2] for row in rows] == [["2", "9"], ["1", "3"]]
    assert rows[1][-1] == "STOPPED floor at step 2: its 0.1 is bel…"
    assert "stopped" not in page_of(search([trial(1, 0.1)])).text


def test_the_page_has_best_parameters_outputs_and_warnings():
    best = dataclasses.replace(
        trial(1, 0.5),
        outputs={"accuracy": 0.5, "loss": 0.25, "log": "a/output.log"},
        warnings=("output 'model' leads nowhere",),
    )
    page = page_of(search([best, trial(2, 0.25)]))
    facts = {row[0]: row[1] for row in page.rows if len(row) == 2}
    assert facts == {
        "best accuracy": "0.5 in trial 1",
        "parameters": "x=1",
        "outputs": "loss=0.25",
        "directory": "/p/id-1/0001",
    }
    assert "Trial 1: output 'model' leads nowhere" in page.text
    assert "output.log" not in page.text


def test_what_comes_from_the_user_is_escaped_everywhere():
    hostile = dataclasses.replace(
        trial(1, 0.5),
        params={HOSTILE: HOSTILE},
        outputs={"accuracy": 0.5, f"{HOSTILE} out": HOSTILE},
        warnings=(HOSTILE,),
    )
    result = search(
        [hostile, failed(2, HOSTILE)],
        optimization_key=HOSTILE,
        links=(PageLink(HOSTILE, f'http://host/"{HOSTILE}'),),
    )
    result = dataclasses.replace(result, path=f"/p/{HOSTILE}")
    page = page_of(result)
    assert {tag for tag, _ in page.tags} <= {
        *("div", "b", "table", "tr", "th", "td", "code", "span", "a")
    }
    assert all(set(has) <= {"style", "title", "href", "target", "rel"} for _, has in page.tags)
    assert page.text.count("<script>alert('x')</script>") >= 6
    assert "\x1b" not in page.text
    result._repr_html_().encode()
    repr(result).encode()


def test_only_links_that_a_browser_opens_as_pages_are_shown():
    links = (PageLink("run", "https://host/run?a=1&b=2"), PageLink("code", "javascript:alert(1)"))
    page = page_of(search([trial(1, 0.5)], links=links))
    hrefs = [has["href"] for tag, has in page.tags if tag == "a"]
    assert hrefs == ["https://host/run?a=1&b=2"]
    assert "code" not in page.text


def test_a_picture_is_part_of_the_page_unless_it_is_large():
    html = search([trial(1, 0.5)], picture=b"\x89PNG")._repr_html_()
    assert re.findall(r'src="([^"]*)"', html) == ["data:image/png;base64,iVBORw=="]
    large = search([trial(1, 0.5)], picture=bytes(MOST_PICTURE_BYTES + 1))
    assert "<img" not in large._repr_html_()


def test_long_values_are_cut_and_many_are_counted():
    long = dataclasses.replace(
        trial(1, 0.5), params={"x": "y" * 5000, **{f"p{n}": n for n in range(100)}}
    )
    html = search([long, trial(2, 0.25)])._repr_html_()
    assert "y" * 39 + "…" in html
    assert len(html) < 10_000
