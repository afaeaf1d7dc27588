from __future__ import annotations

import importlib.util

import pytest

from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError, UnknownArgumentError
from hopsml_flows.search import (
    OPTIMIZERS,
    Asha,
    AsynchronousEvolution,
    BaseSearch,
    Categorical,
    DifferentialEvolution,
    Direction,
    Float,
    GridSearch,
    ListSearch,
    OptunaSearch,
    RandomSearch,
    SearchSpace,
    make_search,
)

SPACE = SearchSpace({"rate": Float(1e-4, 1e-1, log=True), "units": [2, 9]})
GRID = SearchSpace({"units": [2, 4], "opt": ["sgd", "adam"], "rate": [0.5, 0.5]})
HAS_OPTUNA = importlib.util.find_spec("optuna") is not None
NAMES = [name for name in OPTIMIZERS if name in ("evolution", "random", "asha")]
NAMES += ["tpe", "cmaes"] if HAS_OPTUNA else []


class Own(BaseSearch):
    """What a user may write."""

    def __init__(self, space, *, samples=3, direction="max", seed=None, step=1):
        super().__init__(direction=direction)
        self.given = {"space": space, "samples": samples, "seed": seed, "step": step}

    @property
    def total(self):
        return self.given["samples"]

    def _propose(self, number):
        return {"units": number}


class WithoutNumber(BaseSearch):
    total = 4

    def _propose(self, number):
        return {"units": number}


def test_the_default_comes_first():
    assert OPTIMIZERS[0] == "evolution"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("evolution", AsynchronousEvolution),
        ("random", RandomSearch),
        ("randomsearch", RandomSearch),
        ("RandomSearch", RandomSearch),
        ("asha", Asha),
        ("ASHA", Asha),
    ],
)
def test_optimizers_are_known_by_name_in_any_case(name, kind):
    search = make_search(name, SPACE, num_trials=20, seed=1, direction="min")
    assert type(search) is kind
    assert search.total == 20
    assert search.direction is Direction.MIN


@pytest.mark.skipif(not HAS_OPTUNA, reason="optuna is not installed")
@pytest.mark.parametrize("name", ["tpe", "cmaes"])
def test_samplers_of_optuna_are_known_by_name(name):
    search = make_search(name, SPACE, num_trials=20, seed=1)
    assert type(search) is OptunaSearch
    assert search._sampler == name


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_search(name):
    one, other = (make_search(name, SPACE, num_trials=20, seed=4, workers=3) for _ in range(2))
    assert one.ask(5) == other.ask(5)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_number_of_trials_they_have_no_end(name):
    search = make_search(name, SPACE, seed=1)
    assert search.total is None
    for proposal in search.ask(40):
        search.tell(proposal.id, proposal.params["rate"])
    assert not search.finished
    assert len(search.ask(1)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_initial_configurations_come_first(name):
    point = {"rate": 0.01, "units": 3}
    search = make_search(name, SPACE, num_trials=20, seed=1, initial=[point])
    assert search.ask(1)[0].params == point
    with pytest.raises(InvalidArgumentError, match=r"^initial: must be at most num_trials=20 "):
        make_search(name, SPACE, num_trials=20, initial=[point] * 21)


def test_the_evolution_has_at_least_as_many_parents_as_workers():
    search = make_search("evolution", SPACE, num_trials=100, workers=32)
    assert search._size == 32
    search = make_search("evolution", SPACE, num_trials=100, settings={"population": 7})
    assert search._size == 7


@pytest.mark.parametrize("name", ["grid", "gridsearch"])
def test_a_grid_has_all_values_and_its_own_number(name):
    search = make_search(name, GRID)
    assert type(search) is GridSearch
    assert search.grid == {"units": [2, 3, 4], "opt": ["sgd", "adam"], "rate": [0.5]}
    assert make_search(name, GRID, num_trials=6).total == 6
    with pytest.raises(
        InvalidArgumentError, match=r"^num_trials: .*'grid' has 6 trials of its own"
    ):
        make_search(name, GRID, num_trials=5)


@pytest.mark.parametrize("domain", [Float(0.1, 0.5), [0, 2**62]])
def test_a_grid_over_what_has_no_list_of_values_is_refused(domain):
    with pytest.raises(InvalidSpaceError, match=r"^space\['x'\]: must be a list of values"):
        make_search("grid", SearchSpace({"x": domain}))


def test_none_proposes_empty_configurations():
    search = make_search("none", None, num_trials=3)
    assert type(search) is ListSearch
    assert [p.params for p in search.ask()] == [{}, {}, {}]
    with pytest.raises(InvalidArgumentError, match=r"^num_trials: must be given"):
        make_search("none", None)
    with pytest.raises(InvalidSpaceError, match=r"^space: must be None with the optimizer 'none'"):
        make_search("none", GRID, num_trials=3)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "none"])
def test_all_others_need_a_space(name):
    with pytest.raises(InvalidSpaceError, match=r"^space: must name at least one"):
        make_search(name, None, num_trials=20)


@pytest.mark.parametrize("name", ["grid", "none"])
def test_those_without_first_configurations_refuse_them(name):
    space = GRID if name == "grid" else None
    with pytest.raises(InvalidArgumentError, match=r"^initial: "):
        make_search(name, space, num_trials=6, initial=[{"units": 2}])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ashaa", "; did you mean 'asha'?"),
        ("Evolutoin", "; did you mean 'evolution'?"),
        ("bayesian", "; did you mean 'gp'?"),
        ("differential_evolution", "; did you mean 'evolution'?"),
        ("hyperband", "; did you mean 'asha'?"),
        ("xyz", ""),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(name, hint):
    with pytest.raises(InvalidArgumentError) as caught:
        make_search(name, SPACE, num_trials=20)
    assert str(caught.value) == (
        f"optimizer: {name!r} cannot be used, because there is no such one among 'evolution', "
        f"'random', 'grid', 'none', 'asha', 'tpe', 'gp', 'cmaes'{hint}"
    )


def test_settings_reach_asha():
    settings = {"reduction_factor": 2, "min_budget": 1, "max_budget": 4, "on_reports": True}
    search = make_search("asha", SPACE, num_trials=7, settings=settings)
    assert search.budgets == (1, 2, 4)


def test_budgets_that_do_not_fit_the_number_of_trials_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"^num_trials: must be at least 40: "):
        make_search("asha", SPACE, num_trials=39, settings={"max_budget": 27})
    with pytest.raises(InvalidArgumentError, match=r"^max_budget: must be at least min_budget=3"):
        make_search("asha", SPACE, settings={"min_budget": 3, "max_budget": 1})


@pytest.mark.parametrize(
    ("optimizer", "setting", "hint"),
    [
        ("asha", "max_budgets", "; did you mean max_budget?"),
        ("asha", "population", ""),
        ("evolution", "populaton", "; did you mean population?"),
        ("random", "max_budget", ""),
        ("tpe", "n_startup_trials", ""),
        ("grid", "order", ""),
        (Own, "stepp", "; did you mean step?"),
        (Own, "seed", ""),
    ],
)
def test_an_unknown_setting_is_refused_with_the_one_that_may_be_meant(optimizer, setting, hint):
    with pytest.raises(UnknownArgumentError) as caught:
        make_search(optimizer, GRID, settings={setting: 3})
    assert caught.value.argument == setting
    assert str(caught.value).endswith(f"has no such setting{hint}")


@pytest.mark.parametrize(
    ("argument", "value"), [("num_trials", 0), ("workers", 0), ("workers", 1.5)]
)
def test_numbers_that_are_none_are_refused(argument, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}: "):
        make_search("random", SPACE, **{argument: value})


def test_a_class_gets_what_its_signature_has_and_the_settings():
    search = make_search(
        Own, SPACE, num_trials=5, workers=4, direction="min", seed=3, settings={"step": 2}
    )
    assert search.given == {"space": SPACE, "samples": 5, "seed": 3, "step": 2}
    assert search.direction is Direction.MIN


def test_classes_of_the_package_are_as_good_as_their_names():
    assert make_search(RandomSearch, SPACE, num_trials=5).total == 5
    assert make_search(RandomSearch, SPACE).total is None
    assert make_search(GridSearch, GRID).total == 6
    assert make_search(Asha, SPACE, num_trials=13).total == 13
    assert make_search(AsynchronousEvolution, SPACE, num_trials=13).total == 13
    settings = {"generations": 2, "population": 5}
    assert make_search(DifferentialEvolution, SPACE, settings=settings).total == 15


def test_a_class_with_its_own_number_refuses_another():
    assert make_search(WithoutNumber, SPACE, num_trials=4).total == 4
    with pytest.raises(InvalidArgumentError, match=r"^num_trials: .*has 4 trials of its own"):
        make_search(WithoutNumber, SPACE, num_trials=5)


@pytest.mark.parametrize("kind", [BaseSearch, ListSearch, dict])
def test_a_class_that_makes_no_optimizer_is_refused(kind):
    with pytest.raises(InvalidArgumentError, match=r"^optimizer: "):
        make_search(kind, SPACE)


READY = {
    "random": lambda: RandomSearch(SPACE, samples=5, seed=1),
    "asha": lambda: Asha(SPACE, num_trials=25, max_budget=4, reduction_factor=2, seed=1),
    "evolution": lambda: AsynchronousEvolution(SPACE, num_trials=12, seed=1),
    "of a user": lambda: Own(SPACE),
}
if HAS_OPTUNA:
    READY["optuna"] = lambda: OptunaSearch(SPACE, num_trials=12, seed=1)


@pytest.mark.parametrize("made", READY.values(), ids=READY)
def test_an_optimizer_that_is_given_serves_several_searches(made):
    given = made()
    asked = []
    for _ in range(2):
        search = make_search(given, SPACE)
        assert type(search) is type(given)
        proposals = []
        while not search.finished:
            for proposal in search.ask(1):
                proposals.append(proposal)
                search.tell(proposal.id, proposal.params["units"])
        asked.append(proposals)
    assert len(asked[0]) == given.total
    assert asked[0] == asked[1]
    assert not given.finished


def test_an_optimizer_has_the_experiments_number_and_direction():
    search = RandomSearch(SPACE, samples=5, direction="min")
    assert make_search(search, SPACE, direction="min", num_trials=5).direction is Direction.MIN


def test_an_optimizer_that_cannot_be_copied_is_refused():
    search = Own(SPACE)
    search.draws = (number for number in range(3))
    with pytest.raises(InvalidArgumentError, match=r"^optimizer: .*copying it raised TypeError"):
        make_search(search, SPACE)


def test_what_a_class_changes_in_its_settings_stays_in_its_search():
    settings = {"step": [1]}
    make_search(Own, SPACE, settings=settings).given["step"].append(2)
    assert settings == {"step": [1]}


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("num_trials", 6, InvalidArgumentError),
        ("direction", "min", InvalidArgumentError),
        ("initial", [{"rate": 0.1, "units": 3}], InvalidArgumentError),
        ("settings", {"step": 2}, UnknownArgumentError),
    ],
)
def test_an_optimizer_that_is_ready_refuses_what_it_does_not_have(argument, value, error):
    search = RandomSearch(SPACE, samples=5)
    with pytest.raises(error, match="step" if argument == "settings" else rf"^{argument}: "):
        make_search(search, SPACE, **{argument: value})


def test_an_optimizer_without_an_end_refuses_a_number_of_trials():
    with pytest.raises(
        InvalidArgumentError, match=r"^num_trials: .*no number of trials of its own"
    ):
        make_search(Asha(SPACE), SPACE, num_trials=20)


@pytest.mark.parametrize("optimizer", [None, 3, object(), lambda: None])
def test_what_is_no_optimizer_is_refused(optimizer):
    with pytest.raises(InvalidArgumentError, match=r"^optimizer: must be one of 'evolution'"):
        make_search(optimizer, SPACE)


@pytest.mark.skipif(not HAS_OPTUNA, reason="optuna is not installed")
def test_a_sampler_of_the_users_is_a_setting_of_optunas_class():
    import optuna

    sampler = optuna.samplers.RandomSampler(seed=1)
    settings = {"sampler": sampler}
    one, other = (
        make_search(OptunaSearch, SPACE, num_trials=9, settings=settings) for _ in range(2)
    )
    assert one.total == 9
    assert isinstance(one._sampler, optuna.samplers.RandomSampler)
    assert one.ask(9) == other.ask(9)


@pytest.mark.parametrize("initial", [3, {"rate": 0.1, "units": 3}, "no"])
def test_initial_must_be_a_list(initial):
    with pytest.raises(InvalidArgumentError, match=r"^initial: must be a list of dicts"):
        make_search("random", SPACE, num_trials=20, initial=initial)


def test_grid_values_are_the_spaces_own():
    space = SearchSpace({"size": Categorical([1, True, (3, 3)])})
    assert [p.params["size"] for p in make_search("grid", space).ask()] == [1, True, (3, 3)]
