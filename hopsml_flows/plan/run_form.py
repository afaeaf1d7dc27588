"""Types of flow parameters: what Prefect's run forms show, and what its API accepts.

The types are JSON schemas for the forms, not validators. The verb's plan judges the values of
every run, so its errors are the same everywhere. The schemas use what both of Prefect's user
interfaces can show:

- an object with properties is shown as fields, an object without as a JSON editor;
- of alternatives (``anyOf``), the form chooses the one of the value's type. A dict with names that
  the schema does not know goes to the first alternative, which therefore must be the JSON editor;
- items of a list may be objects or alternatives of scalars, but not alternatives of objects;
- if a value is needed and none is there, "default" chooses the alternative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import Annotated, Any

from pydantic import WithJsonSchema

from hopsml_flows.ablation.study import AblationStudy
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.cluster.config_fields import declared_fields
from hopsml_flows.errors import InvalidArgumentError, InvalidProjectError, InvalidSpaceError
from hopsml_flows.execution import TrainingFunction
from hopsml_flows.execution.function import import_string
from hopsml_flows.plan.winner import identifier_of
from hopsml_flows.redaction import has_secret
from hopsml_flows.search import (
    Categorical,
    Direction,
    Optimizer,
    SearchSpace,
    Strategy,
    Updating,
    value_lists,
)
from hopsml_flows.search.entries import TYPES
from hopsml_flows.search.evolution.strategies import FEWEST
from hopsml_flows.search.space import Spanning
from hopsml_flows.storage import Project
from hopsml_flows.trials import ISOLATIONS, EarlyStop
from hopsml_flows.trials.confirmation import MOST_SEEDS
from hopsml_flows.trials.early_stop.registry import rule_settings
from hopsml_flows.values.plain import IS_OBJECT, json_value, typed_key

__all__ = [
    "AroundParameter",
    "BoundsParameter",
    "ClusterParameter",
    "ConfirmParameter",
    "CountParameter",
    "DirectionParameter",
    "EarlyStopParameter",
    "FractionParameter",
    "GridParameter",
    "InteractionsParameter",
    "IsolationParameter",
    "KeepFilesParameter",
    "OptimizerParameter",
    "PopulationParameter",
    "PositionsParameter",
    "PositiveParameter",
    "ProjectParameter",
    "SecondsParameter",
    "SpaceParameter",
    "StrategyParameter",
    "StudyParameter",
    "TrainParameter",
    "UpdatingParameter",
    "WeightParameter",
    "deployed",
    "stored",
]


def stored(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verb's arguments as JSON values, as a deployment or a flow run stores them.

    Called with them, the verb makes the same plan.

    Args:
        given: Argument name to value, as a caller in Python wrote it; some may be missing.

    Raises:
        InvalidArgumentError: A function, a space or a cluster is not valid.
    """
    kept: dict[str, Any] = {}
    for name, value in given.items():
        convert: Callable[[str, Any], Any] = _STORED.get(name, json_value)
        kept[name] = None if value is None else convert(name, value)
    return kept


def deployed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verb's arguments as a deployment stores them, for runs that get only JSON.

    Args:
        given: As for :func:`stored`.

    Raises:
        InvalidArgumentError: A function, a space or a cluster is not valid; a hyperparameter's
            value would reach the training function as another one; or an optimizer or a rule is an
            object that JSON cannot describe.
    """
    for name in ("grid_dict", "args_dict"):
        if given.get(name) is not None:
            for hyperparameter, listed in value_lists(name, given[name]).items():
                _check_values(f"{name}[{hyperparameter!r}]", listed)
    if isinstance(given.get("study"), AblationStudy):
        raise InvalidArgumentError(
            "study", given["study"], "must be an import string: runs of a deployment get no objects"
        )
    for name in ("boundary_dict", "space"):
        if given.get(name) is not None:
            for hyperparameter, domain in SearchSpace(given[name], argument=name).items():
                if isinstance(domain, Categorical):
                    _check_values(f"{name}[{hyperparameter!r}]", domain.choices)
    made = {name: _made_kind(name, given[name]) for name in _KINDS if name in given}
    return stored({**given, **made})


def _check_values(where: str, values: Iterable[Any]) -> None:
    for value in values:
        image = json_value(where, value)
        if typed_key(value) != typed_key(image):
            raise InvalidSpaceError(
                where, value, f"must be a JSON value: runs of a deployment would get {image!r}"
            )


def _train(_: str, value: Any) -> str:
    # An import string stays: it may resolve only where the deployment runs.
    return value if isinstance(value, str) else TrainingFunction(value)


def _bounds(name: str, value: Any) -> Any:
    return SearchSpace(value, argument=name).entries()


def _lists(name: str, value: Any) -> Any:
    return json_value(name, value_lists(name, value))


def _cluster(_: str, value: Any) -> Any:
    return value if isinstance(value, str) else ClusterConfig.parse(value).as_dict()


def _numbers(_: str, value: Any) -> list[Any]:
    # Of many trials that are run again, all would be more than the server takes for a flow run.
    return [each["number"] if isinstance(each, Mapping) else each for each in value]


def _study(_: str, value: Any) -> str:
    # A study is made of functions: a run shows what it leaves out.
    return value if isinstance(value, str) else repr(value)


def _around(_: str, value: Any) -> str:
    return identifier_of(value)


def _project(name: str, value: str | PathLike[str] | Project) -> str:
    if isinstance(value, Project):
        return value.url
    text = fspath(value)
    if has_secret(text):
        raise InvalidProjectError(
            name,
            text,
            "must have no password, because Prefect stores it; save a HopsFSProject block instead",
        )
    return text


def _named_kind(name: str, value: Any) -> Any:
    """What is stored of an optimizer or a rule: of an object, its class."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        key = _KINDS[name]
        kind = {key: _named_kind(name, value[key])} if key in value else {}
        return json_value(name, {**value, **kind})
    return import_string(value if isinstance(value, type) else type(value))


def _made_kind(name: str, value: Any) -> Any:
    """What makes an optimizer or a rule in a run of a deployment."""
    named = value.get(_KINDS[name]) if isinstance(value, Mapping) else value
    if named is None or isinstance(named, (str, type)):
        return value
    if isinstance(named, EarlyStop):
        settings = rule_settings(named, named)
        if IS_OBJECT not in settings:
            return settings
    raise InvalidArgumentError(
        name,
        named,
        "must be a name, a class or an import string: runs of a deployment get no objects",
    )


_KINDS = {"optimizer": "optimizer", "early_stop": "rule"}
"""Under which key a mapping has the optimizer or the rule."""

_STORED: dict[str, Callable[[str, Any], Any]] = {
    "train": _train,
    "direction": lambda _, value: Direction.parse(value).value,
    "strategy": lambda _, value: Strategy.parse(value).value,
    "updating": lambda _, value: Updating.parse(value).value,
    "boundary_dict": _bounds,
    "space": _bounds,
    "grid_dict": _lists,
    "args_dict": _lists,
    "trials": _numbers,
    "cluster": _cluster,
    "project": _project,
    "study": _study,
    "around": _around,
    "optimizer": _named_kind,
    "early_stop": _named_kind,
}


def _fields(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties of an object, in this order."""
    return {
        name: {"title": name, **schema, "position": position}
        for position, (name, schema) in enumerate(properties.items())
    }


def _array(title: str, *kinds: str) -> dict[str, Any]:
    items = [{"type": kind} for kind in kinds]
    return {
        "type": "array",
        "title": title,
        "items": {"anyOf": items} if len(items) > 1 else items[0],
    }


_CHOICES = {
    # The form has a text or number field per item, or a JSON field if the types differ.
    "anyOf": [
        _array("texts", "string"),
        _array("numbers", "number"),
        _array("JSON", "string", "number", "boolean", "null", "array", "object"),
    ],
    "description": "The values of a choice.",
}
_NUMBER = {"type": "number"}
_DOMAIN = _fields(
    type={
        "type": "string",
        "enum": list(TYPES),
        "default": "float",
        "description": "A real interval, a range of integers, or a choice.",
    },
    low={**_NUMBER, "description": "Smallest value of an interval or range."},
    high={**_NUMBER, "description": "Largest value."},
    log={"type": "boolean", "default": False, "description": "Search on a log scale."},
    choices=_CHOICES,
)
_NAMED = {
    "type": "object",
    "title": "hyperparameter",
    "properties": {
        "name": {
            "type": "string",
            "title": "name",
            "position": -1,
            "description": "Argument of the training function.",
        },
        **_DOMAIN,
    },
    "required": ["name", "type"],
    "additionalProperties": False,
}
_UNNAMED = {
    "type": "object",
    "properties": _DOMAIN,
    "required": ["type"],
    "additionalProperties": False,
}
_LIST = {"type": "array", "minItems": 1}

ProjectParameter = Annotated[
    str | PathLike[str] | None, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})
]
"""A project's root."""

TrainParameter = Annotated[
    Callable[..., Any] | str, WithJsonSchema({"type": "string", "minLength": 1})
]
"""A training function; an import string in forms and deployments."""

StudyParameter = Annotated[
    AblationStudy | str | None, WithJsonSchema({"type": "string", "minLength": 1})
]
"""An ablation study; an import string in forms and deployments."""

# A result holds functions, of which a form can be made of no type: hence Any.
AroundParameter = Annotated[Any, WithJsonSchema({"type": "string", "minLength": 1})]
"""A search whose winner a study is about, or its identifier, as in forms and deployments."""

_BOUNDS = WithJsonSchema(
    {
        "anyOf": [
            {
                "type": "object",
                "title": "JSON",
                "minProperties": 1,
                "additionalProperties": {"anyOf": [_LIST, _UNNAMED]},
            },
            {"type": "array", "title": "one by one", "items": _NAMED, "minItems": 1},
        ],
        "default": [],
    }
)

BoundsParameter = Annotated[Mapping[str, Any] | Sequence[Mapping[str, Any]] | Spanning, _BOUNDS]
"""Bounds of hyperparameters: a dict as in Python, or a list of entries with form fields."""

SpaceParameter = Annotated[
    Mapping[str, Any] | Sequence[Mapping[str, Any]] | Spanning | None, _BOUNDS
]
"""The same, or None in Python for an optimizer that searches nothing."""

GridParameter = Annotated[
    Mapping[str, Sequence[Any]],
    WithJsonSchema({"type": "object", "minProperties": 1, "additionalProperties": _LIST}),
]
"""Value lists of hyperparameters; JSON in forms."""

PositionsParameter = Annotated[
    Mapping[str, Sequence[Any]] | None,
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "title": "JSON",
                    "minProperties": 1,
                    "additionalProperties": _LIST,
                },
                {"type": "null"},
            ]
        }
    ),
]
"""Value lists, or none."""

DirectionParameter = Annotated[
    Direction | str, WithJsonSchema({"type": "string", "enum": [way.value for way in Direction]})
]
"""A direction; a drop-down in forms."""

StrategyParameter = Annotated[
    Strategy | str, WithJsonSchema({"type": "string", "enum": [one.value for one in Strategy]})
]
"""A strategy of differential evolution; a drop-down in forms."""


def _named(key: str) -> dict[str, Any]:
    """A name, or an object that has it under a key, and arguments."""
    return {
        "anyOf": [
            {"type": "string", "title": "name", "minLength": 1},
            {
                "type": "object",
                "title": "name and arguments",
                "properties": {key: {"type": "string"}},
                "required": [key],
                "additionalProperties": True,
            },
        ]
    }


OptimizerParameter = Annotated[
    str | Mapping[str, Any] | type | Optimizer, WithJsonSchema(_named("optimizer"))
]
"""An optimizer of asynchronous search; in forms a name, or JSON with its arguments."""

EarlyStopParameter = Annotated[
    str | Mapping[str, Any] | type | EarlyStop | None, WithJsonSchema(_named("rule"))
]
"""A rule of early stopping; in forms a name, or JSON with its arguments."""

UpdatingParameter = Annotated[
    Updating | str, WithJsonSchema({"type": "string", "enum": [one.value for one in Updating]})
]
"""When results enter the population of differential evolution; a drop-down in forms."""

CountParameter = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0})]
"""A whole number from 0."""

PositiveParameter = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]
"""A whole number from 1."""

ConfirmParameter = Annotated[
    int, WithJsonSchema({"type": "integer", "minimum": 2, "maximum": MOST_SEEDS})
]
"""Number of fresh seeds; one shows no spread."""

InteractionsParameter = Annotated[int, WithJsonSchema({"type": "integer", "enum": [1, 2]})]
"""How many components an arm of an ablation study leaves out at most."""

PopulationParameter = Annotated[int, WithJsonSchema({"type": "integer", "minimum": FEWEST})]
"""Number of configurations in a generation."""

FractionParameter = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
"""A number from 0 to 1."""

WeightParameter = Annotated[
    float, WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 2})
]
"""A differential weight."""

SecondsParameter = Annotated[float, WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
"""A time in seconds."""

IsolationParameter = Annotated[str, WithJsonSchema({"type": "string", "enum": list(ISOLATIONS)})]
"""What a trial runs in; a drop-down in forms."""

KeepFilesParameter = Annotated[
    bool | str | Sequence[str],
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean", "title": "all or none"},
                {"type": "string", "title": "pattern", "minLength": 1},
                {"type": "array", "title": "patterns", "items": {"type": "string"}},
            ]
        }
    ),
]
"""Which files of a trial's working directory are kept."""

ClusterParameter = Annotated[
    str | ClusterConfig | Mapping[str, Any],
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "title": "name, address or file",
                    "minLength": 1,
                },
                {
                    "type": "object",
                    "title": "ClusterConfig",
                    "additionalProperties": False,
                    "properties": _fields(
                        **{
                            name: {**field.form, "description": field.words}
                            for name, field in declared_fields(ClusterConfig).items()
                        }
                    ),
                },
            ]
        }
    ),
]
"""A cluster: a name, an address, a file, or a ``ClusterConfig`` with form fields."""
