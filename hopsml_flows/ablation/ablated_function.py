"""Calls a training function for one arm of an ablation study.

The trial's hyperparameters say which arm it is. The training function gets the dataset and the
model of that arm, as Maggy's functions do: ``dataset_function`` and ``model_function``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hopsml_flows.ablation.arms import Arm
from hopsml_flows.ablation.components import FEATURE, LAYER
from hopsml_flows.ablation.datasets import DatasetFunction, own_copy, without_features
from hopsml_flows.ablation.findings import PARAMETERS
from hopsml_flows.ablation.models import ModelFunction
from hopsml_flows.ablation.study import StudyParts
from hopsml_flows.errors import AblationError, SignatureMismatchError
from hopsml_flows.execution.returned import Returned
from hopsml_flows.execution.signature import (
    REPORTER,
    argument_defaults,
    argument_order,
    call,
    takes_any_name,
)
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.values.plain import image_key

__all__ = ["ARGUMENTS", "AblatedFunction", "check_function"]

DATASET, MODEL = "dataset_function", "model_function"
HPARAMS = "hparams"

_GIVEN = ("model", "module", "dataset", "train_set", "test_set")
"""Arguments of Maggy's newer functions, which get what the configuration has."""

ARGUMENTS = (DATASET, MODEL, HPARAMS, FEATURE, LAYER, *_GIVEN, REPORTER)
"""Arguments that a training function of an ablation study may have."""

_OF_DATA = (DATASET, HPARAMS, "dataset", "train_set", "test_set")
_OF_MODEL = (MODEL, HPARAMS, "model", "module")


class AblatedFunction:
    """A training function of an ablation study, as one that gets an arm as its hyperparameters.

    Args:
        function: The training function.
        parts: The study.
        arms: Its arms.
        adapt: Whether a linear layer may take the place of a layer that is left out.
        key: Key of the metric. Of a study that Maggy's verb runs, the first value of a returned
            list, or of a dict without the default key, is the metric.

    Example:
        >>> def train(dataset_function, hparams):
        ...     return len(dataset_function())
        >>> parts = StudyParts((), dataset={"age": [22], "fare": [7.25]})
        >>> function = AblatedFunction(train, parts, [Arm(())])
        >>> function(**Arm(()).params)
        2
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parts: StudyParts,
        arms: Sequence[Arm],
        *,
        adapt: bool = False,
        key: str = DEFAULT_KEY,
    ) -> None:
        self._function = function
        self.__wrapped__ = _innermost(function)  # what inspect.unwrap finds: for name and source
        self._parts = parts
        self._arms = {image_key(arm.params): arm for arm in arms}
        self._given = parts.given or {}
        self._adapt = adapt
        self._key = None if parts.given is None else key
        names = [FEATURE, LAYER, *([REPORTER] if REPORTER in argument_order(function) else [])]
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
        )

    def __call__(self, **values: Any) -> Any:
        """Call the training function.

        Args:
            **values: The hyperparameters of the arm, and the reporter if the function names it.

        Returns:
            What the function returned; with the number of the model's parameters beside it, if it
            made one whose parameters can be counted.

        Raises:
            AblationError: The study has no such arm, or what it leaves out cannot be left out.
        """
        reporter = values.pop(REPORTER, None)
        arm = self._arms.get(image_key(values))
        if arm is None:
            raise AblationError(f"the study has no arm {values}")
        made = self._made(arm, values)
        names = argument_order(self._function)
        defaults = argument_defaults(self._function)
        arguments = {name: made[name] for name in names if name in made}
        for name in _GIVEN:  # as in Maggy, what the configuration lacks is None
            if name in names and name not in defaults:
                arguments.setdefault(name, None)
        if takes_any_name(self._function):
            arguments = {DATASET: made[DATASET], MODEL: made[MODEL], **arguments}
        returned = call(self._function, arguments, reporter)
        if self._key is not None:
            returned = _with_metric(returned, self._key)
        count = made[MODEL].parameters
        return returned if count is None else Returned(returned, {PARAMETERS: count})

    def _made(self, arm: Arm, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the function may get, by name."""
        made: dict[str, Any] = {
            DATASET: DatasetFunction(self._parts, arm.features),
            MODEL: ModelFunction(self._parts, arm.of_model, arm.features, adapt=self._adapt),
            **values,
        }
        made[HPARAMS] = dict(made)
        if self._parts.base_model is not None:
            # It makes the model when it is called, as Maggy's does.
            made["model"] = made["module"] = made[MODEL]
        if (sets := self._given.get("dataset")) is not None:
            left = [
                own_copy(
                    without_features(one, arm.features, self._parts.feature_names, may_lack=True)
                )
                for one in sets
            ]
            made["dataset"] = left
            if len(left) == 2:
                made["train_set"], made["test_set"] = left
        return made


def check_function(function: Callable[..., Any], parts: StudyParts) -> None:
    """Check that a training function takes what its study leaves parts out of.

    Args:
        function: The training function.
        parts: The study.

    Raises:
        SignatureMismatchError: It needs something else, or would train the same in all arms.
    """
    names, defaults = argument_order(function), argument_defaults(function)
    open_ended = takes_any_name(function)
    shown = list(names)
    unknown = [name for name in names if name not in ARGUMENTS and name not in defaults]
    if unknown:
        raise SignatureMismatchError(
            "train", shown, f"must have only arguments among {', '.join(ARGUMENTS)}"
        )
    if open_ended or not names:
        if not names and not open_ended:
            raise SignatureMismatchError(
                "train", shown, f"must have {DATASET} or {MODEL} as an argument"
            )
        return
    if parts.features and not set(names) & set(_OF_DATA):
        raise SignatureMismatchError(
            "train", shown, f"must have {DATASET} as an argument: the study leaves features out"
        )
    if parts.of_model and not set(names) & set(_OF_MODEL):
        raise SignatureMismatchError(
            "train", shown, f"must have {MODEL} as an argument: the study leaves layers out"
        )
    wants_sets = {"dataset", "train_set", "test_set"} & set(names)
    if (
        wants_sets
        and not (parts.given or {}).get("dataset")
        and parts.features
        and DATASET not in names
    ):
        raise SignatureMismatchError(
            "train", shown, f"must have {DATASET} as an argument: the configuration has no dataset"
        )


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


def _with_metric(returned: Any, key: str) -> Any:
    if isinstance(returned, Mapping) and returned and key not in returned and key == DEFAULT_KEY:
        return {key: next(iter(returned.values())), **returned}
    if isinstance(returned, (list, tuple)) and returned:
        return {key: returned[0], "returned": list(returned)}
    return returned
