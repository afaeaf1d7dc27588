"""Values of a search come back after resume= as they went in: equal, and of the same type.

The first run leaves real files; what goes on is a plan, a record and a driver as ``resume=`` makes
them, of values that another process built anew.
"""

from __future__ import annotations

import copy
import enum
import json
import math
import tempfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopsml_flows import experiment
from hopsml_flows.driver.driver import Driver
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.errors import InvalidSpaceError
from hopsml_flows.execution import EventMakers, Job, Place, Staging, earlier_trials, run_trial
from hopsml_flows.plan.check import prepare
from hopsml_flows.search import Categorical
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking import end_events, open_progress, trial_events
from hopsml_flows.trials import State
from hopsml_flows.values.plain import image_key, is_jsonable
from tests.loops import start

PATHS = ExperimentPaths("values-1")


class Opt(str, enum.Enum):  # noqa: UP042 - as scripts have it
    ADAM = "adam"
    SGD = "sgd"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(NamedTuple):
    width: object
    height: object


def anything(**hyperparameters):
    return 0


class Deaf:
    """Stands for what tells Prefect of results."""

    def add_earlier(self, counts, best, result):
        assert result.succeeded


def same(one, other):
    """Whether values are equal and of the same type, at all depths."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype == float)
    if isinstance(one, (float, np.generic)):
        return repr(one) == repr(other)
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(
            same(a, b) for a, b in zip(one.values(), other.values(), strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return one == other


def rebuilt(value):
    """An equal value as another process makes it: a set may have another order."""
    if isinstance(value, Size):
        return Size(*map(rebuilt, value))
    if isinstance(value, dict):
        return {key: rebuilt(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return type(value)(reversed([rebuilt(item) for item in value]))
    if isinstance(value, (list, tuple)):
        return type(value)(map(rebuilt, value))
    return copy.deepcopy(value)


texts = st.text(st.characters(codec="utf-8"), max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1, 1.0, True, "NaN", "Infinity", "1"])
    | texts
    | st.sampled_from(Opt)
    | st.sampled_from(Level)
    | st.sampled_from([PurePosixPath("a/b"), Path("data.csv")])
)
sets = st.sets(texts | st.integers() | st.floats(allow_nan=False), max_size=4)
arrays = (
    st.lists(st.floats(), max_size=4).map(np.array)
    | st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(lambda v: np.array(v, dtype="int16"))
    | st.integers(0, 9).map(lambda n: np.arange(n * 500.0))
)
leaves = scalars | sets | sets.map(frozenset) | arrays | st.floats(width=32).map(np.float32)
keys = texts | st.integers() | st.booleans() | st.none()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.tuples(inner, inner).map(lambda pair: Size(*pair))
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=6,
).filter(is_jsonable)  # keys that are one in JSON
names = st.text("abc_xyz", min_size=1, max_size=4)


def plan_of(verb, *arguments, **options):
    return verb.plan(anything, *arguments, **options)


def driver_of(plan, left):
    return Driver(plan, PATHS, open_progress(show=False), left, Deaf(), None)


def begun(loop):
    """All trials that a search has, if they are asked for at once."""
    return start(loop, 10**6)


def carry_out(project, trials):
    """Run trials as a worker does; their values have come to it and go back."""
    job = Job(
        function=b"", project=project, experiment_id=PATHS.id, optimization_key="metric",
        needs_metric=True, local_logdir=False, directory=".", resumed=False,
    )  # fmt: skip
    job.call_instead(lambda **params: len(params), for_outputs=True)
    for trial in trials:
        staging = Staging(project, PATHS, trial, local_logdir=False)
        makers = EventMakers(trial_events, end_events)
        assert run_trial(job, trial, staging, Place(), makers).succeeded


def check_resume(verb, make, killed_after, **options):
    """Run a search, kill it after some trials, and go on with what lies on storage."""
    with tempfile.TemporaryDirectory() as directory:
        options = {"project": f"{directory}/p", **options}
        project = Project(options["project"])
        first = plan_of(verb, make(), **options)
        project.make_directory(PATHS.root)
        record_file(first, PATHS).finish(State.KILLED)
        trials = begun(driver_of(first, earlier_trials(project, PATHS)).loop)
        carry_out(project, trials[:killed_after])
        for trial in trials[killed_after:][:1]:  # begun, and not done
            staging = Staging(project, PATHS, trial, local_logdir=False)
            staging.write(".hparams.json", image_key(trial.params))

        plan = prepare(plan_of(verb, make(), resume=PATHS.id, **options))
        driver = driver_of(plan, earlier_trials(project, PATHS, needs_metric=True))
        driver.replay()
        assert driver.damaged == []
        assert [result.number for result in driver.results] == [
            trial.number for trial in trials[:killed_after]
        ]
        again = [*driver.results, *driver._waiting, *begun(driver.loop)]
        assert len(again) >= len(trials)  # the next generation may have begun
        for now, then in zip(again, trials, strict=False):
            assert (now.number, now.name, now.directory) == (then.number, then.name, then.directory)
            assert list(now.params) == list(then.params)
            assert all(same(now.params[name], then.params[name]) for name in then.params)
        for file in Path(directory).rglob("*.json"):
            json.loads(file.read_text(), parse_constant=pytest.fail)


grids = st.dictionaries(names, st.lists(values, min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=30)
@given(grids, st.integers(0, 3))
def test_values_of_a_grid_come_back_equal_and_of_the_same_type(grid, killed_after):
    check_resume(experiment.grid_search, lambda: rebuilt(grid), killed_after)


@settings(max_examples=12)
@given(st.lists(st.tuples(values, values), min_size=1, max_size=4), st.integers(0, 3))
def test_values_of_a_launch_come_back_equal_and_of_the_same_type(rows, killed_after):
    def lists():
        return {name: [rebuilt(row[i]) for row in rows] for i, name in enumerate("ab")}

    check_resume(experiment.launch, lists, killed_after)


choices = st.lists(values, min_size=2, max_size=4, unique_by=image_key)


@settings(max_examples=25)
@given(
    choices,
    st.sampled_from(["random_search", "differential_evolution"]),
    st.integers(0, 7),
    st.integers(0, 99),
)
def test_choices_of_a_search_come_back_equal_and_of_the_same_type(chosen, verb, after, seed):
    def bounds():
        return {"choice": Categorical(rebuilt(chosen)), "rate": [0.1, 1.0], "units": [1, 9]}

    check_resume(getattr(experiment, verb), bounds, after, seed=seed)


@given(st.lists(values, min_size=2, max_size=4))
def test_choices_that_could_not_be_told_apart_again_are_refused_at_the_first_start(chosen):
    alike = len({image_key(value) for value in chosen}) < len(chosen)
    try:
        plan = experiment.random_search.plan(anything, {"x": Categorical(chosen)}, project="p")
    except InvalidSpaceError:
        assert alike
    else:
        assert not alike
        assert all(
            any(same(p.params["x"], value) for value in plan.domains["x"].choices)
            for p in plan.search().ask()
        )
