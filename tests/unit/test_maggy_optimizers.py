"""Maggy's optimizers as objects, and own ones run as this package's."""

from __future__ import annotations

import random

import numpy as np
import pytest

import hopsml_flows.optimizer
import hopsml_flows.optimizers
from hopsml_flows import Searchspace
from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError, UnsupportedOperationError
from hopsml_flows.maggy.any_optimizer import make_optimizer
from hopsml_flows.maggy.optimizer_adapter import AdaptedOptimizer
from hopsml_flows.optimizer import AbstractOptimizer, Asha, GridSearch, RandomSearch, SingleRun
from hopsml_flows.search import Optimizer, SearchSpace, make_search
from hopsml_flows.trial import Trial

SPACE = Searchspace(argument_param=("DOUBLE", [1, 5]), param2=("integer", [3, 4]))


def test_both_modules_have_the_same_names():
    assert hopsml_flows.optimizers.__all__ == hopsml_flows.optimizer.__all__
    assert hopsml_flows.optimizers.Asha is Asha


# As Maggy's own tests have them


def test_a_random_search_keeps_what_it_is_given():
    search = RandomSearch(5, SPACE, [])
    assert search.num_trials == 5
    assert search.searchspace is SPACE
    search.initialize()
    assert len(search.trial_buffer) == 5
    assert search.get_suggestion().params.keys() == {"argument_param", "param2"}
    assert search.name() == "RandomSearch"


def test_a_random_search_needs_something_continuous():
    search = RandomSearch()
    search.searchspace, search.num_trials = Searchspace(argument_param=("DISCRETE", [1, 5])), 5
    with pytest.raises(NotImplementedError, match="needs at least one continuous parameter"):
        search.initialize()


def test_a_grid_has_all_configurations():
    space = Searchspace(units=("DISCRETE", [8, 16]), opt=("CATEGORICAL", ["sgd", "adam"]))
    search = GridSearch(searchspace=space)
    search.initialize()
    suggested = [trial.params for trial in iter(search.get_suggestion, None)]
    assert len(suggested) == GridSearch.get_num_trials(space) == 4
    assert {"units": 8, "opt": "adam"} in suggested
    with pytest.raises(
        UnsupportedOperationError, match="hyperparameters for GridSearch, not param2"
    ):
        GridSearch.get_num_trials(Searchspace(param2=("INTEGER", [1, 2])))


def test_a_single_run_has_no_hyperparameters():
    search = SingleRun(num_trials=2)
    search.initialize()
    assert [trial.params for trial in iter(search.get_suggestion, None)] == [{}, {}]


def test_asha_is_settings():
    assert Asha() == Asha(reduction_factor=2, resource_min=1, resource_max=4)
    assert Asha(3, 1, 9).resource_max == 9


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((1,), "reduction_factor: must be an integer of at least 2"),
        ((2.5,), "reduction_factor: must be an integer"),
        ((2, 0), "resource_min: must be an integer of at least 1"),
        ((2, 4, 4), "resource_max: must be an integer of at least 5"),
    ],
)
def test_wrong_settings_of_asha_are_typed_errors(settings, words):
    with pytest.raises(InvalidArgumentError, match=words):
        Asha(*settings)


def test_a_pruner_is_not_supported_and_the_error_says_so():
    with pytest.raises(
        UnsupportedOperationError, match="pruner='hyperband' of RandomSearch is not"
    ):
        RandomSearch(pruner="hyperband", pruner_kwargs={"min_budget": 1})


# An own one, run by the adapter


class Climber(AbstractOptimizer):
    """Steps up from the best trial so far; remembers what it was called with."""

    def __init__(self, first=1):  # does not call the base's
        self.first = first

    def initialize(self):
        self.calls = []
        self.suggested = 0

    def get_suggestion(self, trial=None):
        self.calls.append(None if trial is None else (trial.params["x"], trial.final_metric))
        if self.suggested == self.num_trials:
            return None
        self.suggested += 1
        best = max((one.params["x"] for one in self.final_store), default=self.first - 1)
        return Trial({"x": best + 1})

    def finalize_experiment(self, trials):
        self.finalized = [trial.params["x"] for trial in trials]


SMALL = Searchspace(x=("INTEGER", [0, 100]))


def adapted(optimizer, num_trials=3, **settings):
    return AdaptedOptimizer(optimizer, SMALL, num_trials=num_trials, **settings)


def run(search, metric=lambda params: params["x"]):
    asked = []
    while not search.finished:
        (proposal,) = search.ask(1) or (None,)
        if proposal is None:
            break
        asked.append(proposal.params)
        search.tell(proposal.id, metric(proposal.params))
    return asked


def test_it_is_told_of_each_trial_that_ended_once():
    search = adapted(Climber())
    assert isinstance(search, Optimizer)
    assert run(search) == [{"x": 1}, {"x": 2}, {"x": 3}]
    own = search._optimizer
    assert own.calls == [None, (1, 1.0), (2, 2.0), (3, 3.0)]
    assert own.finalized == [1, 2, 3]
    assert own.direction == "max"
    assert own.trial_buffer == []
    assert search.finished
    assert search.best.proposal.params == {"x": 3}
    assert (search.adaptive, search.total, search.gave_up) == (True, None, None)


def test_running_trials_are_in_its_store_with_what_they_reported():
    search = adapted(Climber(), direction="min")
    one, other = search.ask(2)
    own = search._optimizer
    assert own.direction == "min"
    assert own.calls == [None, None]
    assert search.report(one.id, 0, 0.5) is None
    assert search.report(one.id, 0, 0.75) is None
    (running,) = own.trial_store.values()  # both have the same hyperparameters
    assert running.status == Trial.RUNNING
    search.restart(one.id)
    search.report(one.id, 0, 0.25)
    search.tell(one.id, 0.25)
    assert own.final_store[0].metric_history == [0.25]
    assert own.final_store[0].status == Trial.FINALIZED
    search.tell(other.id, failure="out of memory")
    assert own.trial_store == {}
    search.ask(1)
    search.ask(1)
    assert own.calls == [None, None, (1, 0.25), None]  # it never hears of a failure


def test_the_users_object_stays_as_it_is():
    optimizer = Climber(first=5)
    first, second = adapted(optimizer), adapted(optimizer)
    assert run(first) == run(second) == [{"x": 5}, {"x": 6}, {"x": 7}]
    assert vars(optimizer) == {"first": 5}


def test_one_that_cannot_be_copied_is_a_typed_error():
    optimizer = Climber()
    optimizer.handle = open(__file__)  # noqa: SIM115 - closed below
    try:
        with pytest.raises(InvalidArgumentError, match=r"optimizer: .*copying it raised TypeError"):
            adapted(optimizer)
    finally:
        optimizer.handle.close()


class Halting(Climber):
    """Waits for each trial before it suggests the next."""

    def get_suggestion(self, trial=None):
        return "IDLE" if self.trial_store else super().get_suggestion(trial)


def test_one_that_waits_is_asked_again_when_a_trial_has_ended():
    search = adapted(Halting())
    (first,) = search.ask(3)
    assert search.ask(2) == []
    assert not search.finished
    search.tell(first.id, 1.0)
    (second,) = search.ask(2)
    assert second.params == {"x": 2}


class Hanging(Climber):
    def get_suggestion(self, trial=None):
        super().get_suggestion(trial)
        return "IDLE"


def test_one_that_waits_for_nothing_ends_the_search():
    search = adapted(Hanging())
    assert search.ask() == []
    assert search.finished
    assert search.failure == "Hanging waits for trials, and none is running"
    assert search._optimizer.finalized == []


class Paired(Climber):
    """Suggests a trial when two more have ended."""

    def initialize(self):
        super().initialize()
        self.waiting = 0

    def get_suggestion(self, trial=None):
        self.waiting += trial is not None
        if self.suggested >= 2 and self.waiting < 2:
            return "IDLE"
        self.waiting = 0
        return super().get_suggestion()


def test_one_that_waits_is_passed_all_trials_that_have_ended():
    search = adapted(Paired())
    first, second = search.ask()
    search.tell(first.id, 1.0)
    search.tell(second.id, 1.0)
    assert len(search.ask()) == 1


class Wrong(Climber):
    def get_suggestion(self, trial=None):
        return {"x": 1}


def test_what_is_no_trial_is_a_typed_error():
    with pytest.raises(
        InvalidArgumentError, match='must suggest a Trial, None or "IDLE": see Wrong'
    ):
        adapted(Wrong()).ask()


class Odd(Climber):
    def get_suggestion(self, trial=None):
        suggested = Trial({"x": 1})
        suggested.params = {"x": {1j}}
        return suggested


def test_hyperparameters_that_json_cannot_hold_are_a_typed_error():
    with pytest.raises(InvalidSpaceError, match=r"Odd\['x'\]: must hold only values that JSON"):
        adapted(Odd()).ask()


class Drawing(AbstractOptimizer):
    def initialize(self):
        self.left = self.num_trials

    def get_suggestion(self, trial=None):
        if not self.left:
            return None
        self.left -= 1
        drawn = self.searchspace.get_random_parameter_values(1)[0]
        return self.create_trial({**drawn, "noise": np.random.uniform()}, run_budget=2)

    def finalize_experiment(self, trials):
        pass


def drawn(seed, told=1.0):
    return run(adapted(Drawing(), 4, seed=seed), lambda _: told)


def test_what_it_draws_comes_from_the_seed():
    assert drawn(3) == drawn(3) == drawn(3, told=0.5)
    assert drawn(3) != drawn(4)
    assert len({str(params) for params in drawn(3)}) == 4
    assert drawn(3)[0]["budget"] == 2


def test_what_others_draw_does_not():
    random.seed(5)
    np.random.seed(5)
    expected = [(random.random(), np.random.uniform()) for _ in range(2)]
    random.seed(5)
    np.random.seed(5)
    found = [(random.random(), np.random.uniform())]
    drawn(3)
    found.append((random.random(), np.random.uniform()))
    assert found == expected


def test_what_was_asked_for_before_is_asked_for_again():
    search = adapted(Climber())
    search.recall({1: {"x": 40}})
    assert run(search) == [{"x": 40}, {"x": 41}, {"x": 42}]
    assert [trial.params["x"] for trial in search._optimizer.final_store] == [40, 41, 42]


def test_an_own_one_can_ask_for_what_has_ended():
    search = adapted(Climber())
    run(search)
    own = search._optimizer
    ids = [trial.trial_id for trial in own.final_store]
    assert own.get_hparams_dict(ids[0]) == {ids[0]: {"x": 1}}
    assert own.get_metrics_dict() == dict(zip(ids, [-1, -2, -3], strict=True))
    assert own.get_metrics_dict(ids[1:]) == {ids[1]: -2, ids[2]: -3}
    assert own.hparams_exist(Trial({"x": 2, "budget": 7}))
    assert not own.hparams_exist(Trial({"x": 9}))


# As an optimizer of an experiment


@pytest.mark.parametrize("optimizer", [Climber, Climber()])
def test_it_is_made_of_a_class_or_an_object(optimizer):
    space = SearchSpace(SMALL)
    search = make_optimizer(optimizer, space, num_trials=2, direction="min", seed=4)
    assert isinstance(search, AdaptedOptimizer)
    assert search.direction == "MIN"
    assert run(search) == [{"x": 1}, {"x": 2}]
    own = search._optimizer
    assert own is not optimizer
    assert own.searchspace.to_dict() == SMALL.to_dict()
    given = Searchspace(x=("DISCRETE", [1, 2]))
    search = make_optimizer(optimizer, SearchSpace(given), num_trials=2, searchspace=given)
    assert search._optimizer.searchspace is given


def test_others_are_made_as_everywhere():
    search = make_optimizer("random", SearchSpace(SMALL), num_trials=2, seed=4)
    same = make_search("random", SearchSpace(SMALL), num_trials=2, seed=4)
    assert search.ask() == same.ask()


class WithArguments(Climber):
    def __init__(self, step):
        self.step = step


@pytest.mark.parametrize(
    ("optimizer", "settings", "words"),
    [
        (Climber, {"num_trials": None}, "num_trials: must be given for Climber; got None"),
        (Climber, {"initial": [{"x": 1}]}, "initial: .* 'Climber' begins with its own"),
        (Climber, {"settings": {"step": 2}}, "step: .* give it to its constructor"),
        (WithArguments, {}, "optimizer: .* making one without arguments raised .*'step'"),
        (AbstractOptimizer, {}, "optimizer: .* making one without arguments raised"),
    ],
)
def test_what_it_cannot_have_is_a_typed_error(optimizer, settings, words):
    with pytest.raises(InvalidArgumentError, match=words):
        make_optimizer(optimizer, SearchSpace(SMALL), **{"num_trials": 2, **settings})
