from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.search import Direction, ListSearch
from hopsml_flows.trials import (
    Failure,
    State,
    TrialLoop,
    TrialResult,
    checked_outputs,
    slug,
    trial_name,
)
from hopsml_flows.values.plain import json_value, without_floats
from tests.loops import finish, lose, start

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.integers(1, 10**7), st.dictionaries(st.text(), values, max_size=6), st.lists(st.text()))
def test_a_trial_name_is_safe_everywhere_and_begins_with_its_number(number, params, order):
    name = trial_name(number, params, order)
    assert re.fullmatch(r"[A-Za-z0-9._=-]{1,100}", name)
    assert re.match(rf"0*{number}(?![0-9])", name)
    assert name[-1] not in ".-_="


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.dictionaries(st.text(), values, max_size=3))
def test_two_trials_never_share_a_name(one, other, params):
    assert (trial_name(one, params) == trial_name(other, params)) is (one == other)


@given(st.text())
def test_a_slug_is_lower_case_letters_digits_and_single_dashes(name):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(name))
    assert len(slug(name)) <= 40


@given(values)
def test_json_values_come_out_as_strict_json_and_stay_the_same_the_second_time(value):
    once = json_value("x", value)
    assert json.loads(json.dumps(once, allow_nan=False)) == once
    assert json_value("x", once) == once


@given(values, st.none() | st.text(), st.booleans())
def test_whatever_is_returned_is_judged_without_any_other_error(returned, key, required):
    try:
        outputs, metric = checked_outputs(returned, key=key, required=required)
    except InvalidOutputError:
        return
    json.dumps(without_floats(outputs)[0], allow_nan=False)
    assert metric is not None or not required


@given(st.data(), st.integers(1, 4), st.integers(0, 2))
def test_the_loop_accounts_for_every_trial_whatever_happens_to_them(data, workers, retries):
    search = ListSearch([{"x": i} for i in range(data.draw(st.integers(0, 12)))])
    loop = TrialLoop(search, direction=Direction.MAX, retries=retries)
    running, metrics, failures, losses = [], {}, set(), dict[int, int]()
    while not loop.finished:
        running += start(loop, workers)
        assert 0 < len(running) <= 2 * workers + 2
        assert loop.counts.running == min(len(running), workers)
        trial = running.pop(data.draw(st.integers(0, len(running) - 1)))
        event = data.draw(st.sampled_from(["good", "bad", "lost"]))
        if event == "lost":
            losses[trial.number] = losses.get(trial.number, 0) + 1
            assert trial.attempt == losses[trial.number]
            if lose(loop, trial.number, "killed") is not None:
                assert losses[trial.number] == retries + 1
                failures.add(trial.number)
            continue
        good = event == "good"
        metric = data.draw(st.floats(-1e9, 1e9)) if good else None
        finish(
            loop,
            TrialResult(
                trial.number,
                trial.name,
                trial.params,
                State.FINISHED if good else State.FAILED,
                metric,
                failure=None if good else Failure("E", "bad"),
            ),
        )
        if good:
            metrics[trial.number] = metric
        else:
            failures.add(trial.number)
    assert metrics.keys() | failures == set(range(1, search.total + 1))
    assert (loop.counts.succeeded, loop.counts.failed) == (len(metrics), len(failures))
    assert (loop.best.metric if loop.best else None) == (max(metrics.values()) if metrics else None)
