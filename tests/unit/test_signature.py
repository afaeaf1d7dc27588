from __future__ import annotations

import asyncio
import functools

import pytest

from hopsml_flows.errors import SignatureMismatchError
from hopsml_flows.execution import argument_order, check_names
from hopsml_flows.execution.signature import call


def plain(rate, units):
    return rate, units


def with_defaults(rate, units=3):
    return rate, units


def keyword_only(rate, *, units):
    return rate, units


def keyword_only_default(rate, *, units=3):
    return rate, units


def positional_only(rate, units, /):
    return rate, units


def positional_only_defaults(rate=1, units=2, /, extra=3):
    return rate, units, extra


def open_ended(rate, **others):
    return rate, others


def catch_all(**others):
    return others


def shadowing(rate, /, **others):
    return rate, others


def nothing():
    return "called"


async def asynchronous(rate, units):
    await asyncio.sleep(0)
    return rate, units


class CallableObject:
    def __call__(self, rate, units=5):
        return rate, units

    def method(self, rate, units):
        return rate, units

    @staticmethod
    def static(rate, units):
        return rate, units

    @classmethod
    def by_class(cls, rate, units):
        return rate, units


class AsyncObject:
    async def __call__(self, rate):
        return rate


@functools.wraps(plain)
def decorated(*args, **kwargs):
    return plain(*args, **kwargs)


def returns_awaitable(rate):
    async def inner():
        return rate

    return inner()


BOTH = {"units": 2, "rate": 0.1}

FITTING = [
    (plain, BOTH, (0.1, 2)),
    (with_defaults, {"rate": 0.1}, (0.1, 3)),
    (with_defaults, BOTH, (0.1, 2)),
    (keyword_only, BOTH, (0.1, 2)),
    (keyword_only_default, {"rate": 0.1}, (0.1, 3)),
    (positional_only, BOTH, (0.1, 2)),
    (positional_only_defaults, {}, (1, 2, 3)),
    (positional_only_defaults, {"rate": 9}, (9, 2, 3)),
    (positional_only_defaults, {"units": 9}, (1, 9, 3)),
    (positional_only_defaults, {"extra": 9}, (1, 2, 9)),
    (open_ended, {"rate": 0.1, "a": 1, "b": 2}, (0.1, {"a": 1, "b": 2})),
    (catch_all, {"self": 1, "function": 2, "params": 3}, {"self": 1, "function": 2, "params": 3}),
    (shadowing, {"rate": 0.1, "x": 1}, (0.1, {"x": 1})),
    (nothing, {}, "called"),
    (asynchronous, BOTH, (0.1, 2)),
    (functools.partial(asynchronous, units=4), {"rate": 0.1}, (0.1, 4)),
    (returns_awaitable, {"rate": 0.1}, 0.1),
    (CallableObject(), {"rate": 0.1}, (0.1, 5)),
    (AsyncObject(), {"rate": 0.1}, 0.1),
    (CallableObject().method, BOTH, (0.1, 2)),
    (CallableObject.static, BOTH, (0.1, 2)),
    (CallableObject.by_class, BOTH, (0.1, 2)),
    (functools.partial(plain, units=4), {"rate": 0.1}, (0.1, 4)),
    (functools.partial(plain, units=4), BOTH, (0.1, 2)),
    (functools.partial(plain, 0.5), {"units": 2}, (0.5, 2)),
    (functools.partial(functools.partial(plain, 0.5), units=1), {}, (0.5, 1)),
    (decorated, BOTH, (0.1, 2)),
    (lambda rate: rate, {"rate": 0.1}, 0.1),
]


@pytest.mark.parametrize(("function", "params", "returned"), FITTING)
def test_hyperparameters_are_passed_by_name_whatever_the_signature(function, params, returned):
    check_names(function, params, argument="grid_dict")
    assert call(function, params) == returned


@pytest.mark.parametrize(
    ("function", "names", "problem"),
    [
        (plain, ["rate"], "missing: units"),
        (plain, ["rate", "units", "x"], "not an argument of the function: x"),
        (plain, ["rate", "unit"], "missing: units; not an argument of the function: unit"),
        (plain, [], "missing: rate, units"),
        (keyword_only, ["rate"], "missing: units"),
        (positional_only, ["rate"], "missing: units"),
        (open_ended, ["a"], "missing: rate"),
        (nothing, ["a", "b"], "not an argument of the function: a, b"),
        (asynchronous, ["rate"], "missing: units"),
        (CallableObject(), ["rate", "self"], "not an argument of the function: self"),
        (functools.partial(plain, 0.5), ["units", "rate"], "not an argument of the function: rate"),
        (decorated, ["rate"], "missing: units"),
        (lambda *args: args, ["args"], "not an argument of the function: args"),
    ],
)
def test_a_mismatch_is_refused_naming_what_is_missing_and_what_is_too_much(
    function, names, problem
):
    with pytest.raises(SignatureMismatchError) as caught:
        check_names(function, names, argument="grid_dict")
    assert str(caught.value).startswith("grid_dict: must match the training function's arguments (")
    assert problem in str(caught.value)
    assert str(sorted(names)) in str(caught.value)


@pytest.mark.parametrize(
    ("function", "returned"),
    [
        (lambda a, budget: (a, budget), (1, 3)),
        (lambda a, budget, /: (a, budget), (1, 3)),
        (lambda a, **rest: (a, rest), (1, {"budget": 3})),
        (lambda *_, **rest: rest, {"a": 1, "budget": 3}),
        (lambda a: a, 1),
    ],
)
def test_a_budget_is_passed_to_functions_that_take_one(function, returned):
    assert call(function, {"a": 1}, budget=3) == returned
    without = call(lambda **rest: rest, {"a": 1}, budget=None)
    assert without == {"a": 1}
    assert call(lambda **rest: rest, {"budget": 7}, budget=3) == {"budget": 7}


def test_a_function_without_a_readable_signature_passes_and_is_called():
    assert_unreadable = dict
    check_names(assert_unreadable, ["a"], argument="args_dict")
    assert call(assert_unreadable, {"a": 1}) == {"a": 1}
    assert argument_order(assert_unreadable) == ()


@pytest.mark.parametrize(
    ("function", "order"),
    [
        (plain, ("rate", "units")),
        (positional_only_defaults, ("rate", "units", "extra")),
        (open_ended, ("rate",)),
        (CallableObject(), ("rate", "units")),
        (functools.partial(plain, 0.5), ("units",)),
    ],
)
def test_the_order_of_arguments_is_the_signatures(function, order):
    assert argument_order(function) == order


def test_what_the_function_raises_comes_out_as_it_is():
    async def fails():
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        call(fails, {})


def test_the_callers_parameters_stay_as_they_are():
    params = dict(BOTH)
    call(positional_only, params)
    assert params == BOTH
