from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys

import pytest

from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError, MissingPackageError
from hopsml_flows.search import (
    Categorical,
    Direction,
    Float,
    Int,
    OptunaSearch,
    RandomSearch,
    SearchSpace,
    optuna_samplers,
)

SPACE = SearchSpace(
    {
        "rate": Float(1e-4, 1e-1, log=True),
        "units": Int(1, 512, log=True),
        "layers": [1, 4],
        "opt": ["sgd", "adam"],
        "fixed": [0.5, 0.5],
    }
)
WHERE_INSTALLED = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="optuna is not installed"
)
SAMPLERS = pytest.mark.parametrize("sampler", ["tpe", "cmaes"])


def search_of(space=SPACE, **settings):
    return OptunaSearch(space, **{"num_trials": 20, "seed": 5, "direction": "min", **settings})


def loss(params):
    return abs(params["rate"] - 0.01) * 10 + abs(params["units"] - 64) / 64 + params["layers"]


def run(search, *, workers=3, fail=lambda _: False, sign=1):
    proposals, running = [], []
    while not search.finished:
        fresh = search.ask(workers - len(running))
        proposals += fresh
        running += fresh
        done = running.pop(0)
        if fail(done):
            search.tell(done.id, failure="lost")
        else:
            search.tell(done.id, sign * loss(done.params))
    return proposals


@WHERE_INSTALLED
@SAMPLERS
def test_proposals_are_the_spaces_own_values(sampler):
    for proposal in run(search_of(sampler=sampler)):
        assert list(proposal.params) == list(SPACE)
        assert all(proposal.params[name] in SPACE[name] for name in SPACE)
        assert {name: type(value) for name, value in proposal.params.items()} == {
            "rate": float,
            "units": int,
            "layers": int,
            "opt": str,
            "fixed": float,
        }


@WHERE_INSTALLED
def test_choices_that_optuna_takes_for_equal_stay_apart():
    space = SearchSpace({"size": Categorical([1, True, 1.0, (3, 3), [4], None])})
    proposals = search_of(space).ask(9)
    assert sorted(repr(p.params["size"]) for p in proposals) == sorted(
        repr(choice) for choice in space["size"].choices
    )


@WHERE_INSTALLED
@SAMPLERS
@pytest.mark.parametrize("direction", list(Direction))
def test_it_learns_in_its_direction(sampler, direction):
    sign = 1 if direction is Direction.MIN else -1
    search = search_of(sampler=sampler, direction=direction, num_trials=60)
    run(search, sign=sign)
    drawn = [loss(p.params) for p in RandomSearch(SPACE, samples=60, seed=5).ask()]
    assert loss(search.best.proposal.params) < sorted(drawn)[2]


@WHERE_INSTALLED
@SAMPLERS
def test_failures_are_told_as_such_and_end_nothing(sampler):
    search = search_of(sampler=sampler)
    proposals = run(search, fail=lambda p: p.id % 2 == 0)
    assert len(proposals) == 20
    states = [trial.state.name for trial in search._study.get_trials(deepcopy=False)]
    assert states.count("COMPLETE") == states.count("FAIL") == 10


@WHERE_INSTALLED
def test_running_trials_are_known_to_optuna():
    search = search_of()
    search.ask(4)
    search.tell(2, 0.5)
    states = [trial.state.name for trial in search._study.get_trials(deepcopy=False)]
    assert states == ["RUNNING", "COMPLETE", "RUNNING", "RUNNING"]


@WHERE_INSTALLED
@SAMPLERS
def test_a_proposals_randomness_is_that_of_seed_and_number(sampler):
    whole = run(search_of(sampler=sampler))
    resumed = search_of(sampler=sampler)
    resumed.recall({p.id: json.loads(json.dumps(p.params)) for p in whole[:7] if p.id != 3})
    assert run(resumed) == whole
    assert run(search_of(sampler=sampler, seed=6)) != whole


@WHERE_INSTALLED
@SAMPLERS
def test_what_is_recalled_is_evaluated_in_the_place_of_optunas_own(sampler):
    best = {"rate": 0.01, "units": 64, "layers": 1, "opt": "adam", "fixed": 0.5}
    search = search_of(sampler=sampler)
    search.recall({2: best})
    assert run(search)[1].params == best
    assert search.best.proposal.id == 2
    assert search._study.best_params == {"rate": 0.01, "units": 64, "layers": 1, "opt": 1}


@WHERE_INSTALLED
@SAMPLERS
def test_initial_configurations_come_first_and_optuna_learns_from_them(sampler):
    point = {"rate": 0.01, "units": 64, "layers": 1, "opt": "sgd", "fixed": 0.5}
    search = search_of(sampler=sampler, initial=[point, point])
    proposals = run(search)
    assert proposals[0].params == point
    assert proposals[1].params != point
    assert search._study.best_trial.number == 0


@WHERE_INSTALLED
@SAMPLERS
def test_a_finite_space_is_evaluated_whole_and_nothing_twice(sampler):
    space = SearchSpace({"layers": [1, 4], "opt": ["sgd", "adam"]})
    search = search_of(space, sampler=sampler, num_trials=99)
    assert search.total == 8
    running = []
    while not search.finished:
        running += search.ask(1)
        search.tell(running[-1].id, float(running[-1].params["layers"]))
    assert len({str(p.params) for p in running}) == 8


@WHERE_INSTALLED
def test_without_a_number_of_trials_there_is_no_end():
    search = search_of(num_trials=None)
    assert search.total is None
    for proposal in search.ask(30):
        search.tell(proposal.id, loss(proposal.params))
    assert not search.finished
    with pytest.raises(InvalidArgumentError, match=r"^count: .*no end"):
        search.ask()


@WHERE_INSTALLED
def test_a_sampler_of_the_users_is_copied_once():
    import optuna

    sampler = optuna.samplers.RandomSampler(seed=3)
    search = search_of(sampler=sampler)
    own = search._study.sampler
    assert isinstance(own, optuna.samplers.RandomSampler)
    assert own is not sampler
    proposals = run(search)
    assert len(proposals) == 20
    assert search._study.sampler is own
    assert run(search_of(sampler=sampler)) == proposals


@WHERE_INSTALLED
def test_optuna_says_nothing_and_its_settings_stay(monkeypatch):
    import optuna

    said = []
    listener = logging.Handler()
    monkeypatch.setattr(listener, "emit", said.append)
    whole, part = logging.getLogger("optuna"), logging.getLogger("optuna.storages._in_memory")
    whole.addHandler(listener)
    before = [(one.level, one.propagate, list(one.filters)) for one in (whole, part)]
    try:
        for sampler in ("tpe", "cmaes"):
            run(search_of(sampler=sampler))
        assert said == []
        assert [(one.level, one.propagate, list(one.filters)) for one in (whole, part)] == before
        optuna.create_study()
        assert [record.getMessage()[:19] for record in said] == ["A new study created"]
    finally:
        whole.removeHandler(listener)


@WHERE_INSTALLED
def test_a_space_without_numbers_is_nothing_for_cmaes():
    space = SearchSpace({"opt": ["sgd", "adam"], "layers": [3, 3]})
    with pytest.raises(InvalidSpaceError, match=r"^space: must have a number to search"):
        search_of(space, sampler="cmaes")
    assert len(search_of(space, sampler="tpe").ask(5)) == 2


@WHERE_INSTALLED
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("sampler", "tpee"),
        ("sampler", 3),
        ("num_trials", 0),
        ("seed", -1),
        ("direction", "up"),
        ("initial", [{"rate": 1}]),
    ],
)
def test_an_argument_out_of_its_range_is_refused(argument, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}"):
        search_of(**{argument: value})


@pytest.mark.parametrize(
    ("sampler", "missing", "message"),
    [
        (
            "tpe",
            ["optuna"],
            r"needs optuna, which is not installed \(pip install \"hopsml-flows\[optuna\]\"\)",
        ),
        (
            "cmaes",
            ["cmaes"],
            r"needs cmaes, which is not installed \(pip install \"hopsml-flows\[optuna\]\"\)",
        ),
        ("gp", ["torch"], r"'gp' needs torch, which is not installed \(pip install torch\)"),
        (
            "gp",
            ["optuna", "torch"],
            r"needs optuna and torch, which are not installed \(pip install \"h.*\]\" torch\)",
        ),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, sampler, missing, message):
    monkeypatch.setattr(
        optuna_samplers, "find_spec", lambda name: None if name in missing else object()
    )
    with pytest.raises(MissingPackageError, match=message):
        search_of(sampler=sampler)


def test_importing_the_searches_does_not_import_optuna():
    code = "import sys; import hopsml_flows.search.registry; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
