"""Calls a training function of Maggy's newer generations with the arguments that it names.

Here, a training function gets its hyperparameters by name. Maggy's newer functions get them as
the dict ``hparams``, and what the configuration has as ``model``, ``module``, ``dataset``,
``train_set`` and ``test_set``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from keyword import iskeyword
from typing import Any

from hopsml_flows.execution.signature import (
    BUDGET,
    REPORTER,
    argument_defaults,
    argument_order,
    call,
)

__all__ = ["HPARAMS", "KEY_OF_1_1", "NAMED", "NamedArguments", "both_sets"]

KEY_OF_1_1 = "Metric"
"""Key of the metric in 1.1, where a configuration names no other."""

HPARAMS = "hparams"
"""Argument of a training function that gets its hyperparameters as a dict."""

NAMED = ("model", "module", "dataset", "train_set", "test_set")
"""Arguments of a training function that get what the configuration has under these names."""

_RETURNED = "returned"
"""Output with the whole of a returned list, of which the first value is the metric."""


class NamedArguments:
    """A training function of Maggy's newer generations, as one that gets hyperparameters by name.

    It can be pickled where the function and the arguments can. It has the function's name and
    source, and a signature with the hyperparameters' names.

    Args:
        function: The training function.
        hyperparameters: Their names; None if they are not known beforehand.
        given: What the configuration has, by name. An argument that it lacks, and that has no
            default, is None.
        fixed: Hyperparameters that are the same in each trial. If the function has no ``hparams``,
            it gets those that it names.
        budget: What the function calls a trial's budget, which is then one of its hyperparameters;
            None if it gets none.
        key: The optimization key, under which the first value of a returned list is put; None if
            it is not. The first value of a dict is the metric only where the key is the default and
            the dict lacks it: another key may be misspelt.

    Example:
        >>> def train(hparams, model, reporter):
        ...     return {"accuracy": hparams["units"] / 10, "loss": 0.5}
        >>> adapted = NamedArguments(
        ...     train, hyperparameters=["units"], given={"model": int}, key="Metric"
        ... )
        >>> print(inspect.signature(adapted))
        (*, units, reporter)
        >>> adapted(units=8, reporter=None)
        {'Metric': 0.8, 'accuracy': 0.8, 'loss': 0.5}
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        hyperparameters: Collection[str] | None,
        given: Mapping[str, Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
        budget: str | None = None,
        key: str | None = None,
    ) -> None:
        self._function = function
        self.__wrapped__ = _innermost(function)  # what inspect.unwrap finds: for name and source
        self._given = _completed(given or {})
        self._budget = budget
        self._key = key
        names, defaults = argument_order(function), argument_defaults(function)
        passed = () if hyperparameters is None else tuple(hyperparameters)
        extras = {REPORTER: REPORTER in names, BUDGET: budget is not None}
        self.__signature__ = _signature(
            hyperparameters, [name for name, is_taken in extras.items() if is_taken]
        )
        self._as_dict = HPARAMS in names and HPARAMS not in passed
        self._fixed = {
            name: value for name, value in (fixed or {}).items() if self._as_dict or name in names
        }
        self._hyperparameters = [*self._fixed, *passed]
        self._named = [
            name
            for name in NAMED
            if name in names
            and name not in self._hyperparameters
            and (name in self._given or name not in defaults)
        ]

    @property
    def arguments(self) -> list[str]:
        """Names of the function's arguments that it is called with, besides the reporter."""
        by_name = [*self._hyperparameters, *([self._budget] if self._budget else [])]
        return [*([HPARAMS] if self._as_dict else by_name), *self._named]

    def __call__(self, **values: Any) -> Any:
        """Call the function.

        Args:
            **values: The hyperparameters by name, and the reporter if the function names it.

        Returns:
            What the function returned, with the metric under the optimization key.
        """
        reporter = values.pop(REPORTER, None)
        if self._budget is not None and (budget := values.pop(BUDGET, None)) is not None:
            values[self._budget] = budget
        hyperparameters = {**self._fixed, **values}
        arguments = {HPARAMS: hyperparameters} if self._as_dict else hyperparameters
        with self._surroundings() as given:
            named = {name: given.get(name) for name in self._named}
            returned = call(self._function, {**arguments, **named}, reporter)
            outputs = returned if self._key is None else _with_metric(returned, self._key)
            return self._finished(outputs)

    def _surroundings(self) -> AbstractContextManager[Mapping[str, Any]]:
        """Return what the function is called in: a block with the arguments that it is given."""
        return nullcontext(self._given)

    def _finished(self, outputs: Any) -> Any:
        """Return the outputs of the function, in the same block."""
        return outputs


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


def _signature(hyperparameters: Collection[str] | None, extras: list[str]) -> inspect.Signature:
    names = [] if hyperparameters is None else [*hyperparameters]
    # A key of a dict need not be a name of Python's.
    are_named = all(name.isidentifier() and not iskeyword(name) for name in names)
    names = names if are_named else []
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in [*names, *extras]
    ]
    if hyperparameters is None or not are_named:
        parameters.append(inspect.Parameter("hyperparameters", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Add a name's counterpart of the other generation, where the configuration has only one."""
    known = {name: value for name, value in given.items() if value is not None}
    if "train_set" in known or "test_set" in known:
        return {**both_sets(known.get("train_set"), known.get("test_set")), **known}
    dataset = known.get("dataset")
    if dataset is not None and len(dataset) == 2:
        known = {**both_sets(*dataset), **known}
    alike = known.get("model", known.get("module"))
    return known if alike is None else {"model": alike, "module": alike, **known}


def both_sets(train_set: Any, test_set: Any) -> dict[str, Any]:
    """Return two sets under the names of both generations.

    Args:
        train_set: The one to train with.
        test_set: The one to test with.
    """
    return {"train_set": train_set, "test_set": test_set, "dataset": [train_set, test_set]}


def _with_metric(returned: Any, key: str) -> Any:
    """Return outputs in which a metric that has no key has it: the first value is the metric."""
    if isinstance(returned, Mapping):
        if key in returned or not returned or key != KEY_OF_1_1:
            return returned
        return {key: next(iter(returned.values())), **returned}
    if isinstance(returned, (list, tuple)) and returned:
        return {key: returned[0], _RETURNED: list(returned)}
    return returned
