"""scikit-learn pipelines without some of their steps, which are passed through."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import Any

from hopsml_flows.ablation.structure import Structure, chain
from hopsml_flows.errors import AblationError

__all__ = ["structure_of", "without_columns", "without_layers"]


def structure_of(model: Any) -> Structure:
    """Return the steps of a pipeline; only the last one, the estimator, is never left out.

    Steps inside of a step are named as in ``set_params``: ``prepare__scale``.

    Args:
        model: The pipeline.
    """
    names = [name for name, _ in model.steps]
    found = chain(names)
    inner = [name for step, of in model.steps for name in _inner(step, of)]
    calls = {
        **found.calls,
        **{name: found.calls.get(name.partition("__")[0], ()) for name in inner},
    }
    order = [n for name in names for n in (name, *(i for i in inner if i.startswith(f"{name}__")))]
    return Structure(tuple(order), frozenset(names[-1:]), calls)


def without_layers(
    model: Any,
    names: Collection[str],
    *,
    adapt: bool = False,  # noqa: ARG001 - as of the other libraries
) -> Any:
    """Return a pipeline whose steps of these names pass their input through.

    Args:
        model: The pipeline, which is changed.
        names: Names of steps.
        adapt: Has no effect: steps have no shapes.
    """
    outermost = [name for name in names if not any(_is_inside(name, other) for other in names)]
    return model.set_params(**dict.fromkeys(outermost, "passthrough"))


def without_columns(
    model: Any,
    features: Collection[str],
    names: Sequence[str] | None = None,
    *,
    is_told: bool = False,
) -> Any:
    """Take columns out of what a pipeline's ``ColumnTransformer`` asks for.

    Args:
        model: A pipeline, a ColumnTransformer, or another model, which stays as it is.
        features: Names of columns.
        names: Names of all columns in order; columns may then have been given by number.
        is_told: Whether what made the model was told of the features. Then columns that are given
            by number are taken for those that are left.

    Raises:
        AblationError: Columns are given by number, and nothing tells which these are.
    """
    for transformer in _column_transformers(model):
        transformer.transformers = [
            (name, step, _left(name, columns, features, names, is_told=is_told))
            for name, step, columns in transformer.transformers
        ]
    return model


def _left(
    step: str,
    columns: Any,
    features: Collection[str],
    names: Sequence[str] | None,
    *,
    is_told: bool,
) -> Any:
    if callable(columns):  # it chooses among those that are there
        return columns
    if isinstance(columns, str):
        return [] if columns in features else columns
    if isinstance(columns, slice):
        numbers = [end for end in (columns.start, columns.stop) if not isinstance(end, str)]
        is_named = len(numbers) < 2
    else:
        is_named = all(isinstance(one, str) for one in _listed(columns))
    if is_named:
        is_slice = isinstance(columns, slice)
        return columns if is_slice else [one for one in columns if one not in features]
    if is_told:
        return columns
    if names is None:
        raise AblationError(
            f"{' and '.join(features)} cannot be left out: {step!r} has its columns by number, "
            "and numbers change with it. Give names of columns there, feature_names= of an array, "
            "or a base model generator with an argument ablated_feature"
        )
    return _renumbered(columns, features, names)


def _renumbered(columns: Any, features: Collection[str], names: Sequence[str]) -> Any:
    """Return columns by number as they are numbered among those that are left."""
    left = {name: place for place, name in enumerate(n for n in names if n not in features)}
    if isinstance(columns, slice):
        chosen = list(names[columns])
    elif not hasattr(columns, "__iter__"):
        return left.get(names[columns], [])
    else:
        listed = list(columns)
        is_mask = all(type(one).__name__ in ("bool", "bool_") for one in listed)
        places = compress(range(len(names)), listed) if is_mask else listed
        chosen = [names[place] for place in places]
    return [left[name] for name in chosen if name in left]


def _listed(columns: Any) -> list[Any]:
    return list(columns) if hasattr(columns, "__iter__") else [columns]


def _column_transformers(model: Any) -> Iterator[Any]:
    if not hasattr(model, "get_params"):
        return
    for one in [model, *model.get_params(deep=True).values()]:
        listed = getattr(one, "transformers", None)
        if isinstance(listed, list) and all(len(entry) == 3 for entry in listed):
            yield one


def _inner(name: str, step: Any) -> Iterator[str]:
    """Names of the steps inside of a step: of a pipeline, a union or a ColumnTransformer."""
    for attribute in ("steps", "transformer_list", "transformers"):
        for entry in getattr(step, attribute, None) or ():
            inside = f"{name}__{entry[0]}"
            yield inside
            yield from _inner(inside, entry[1])


def _is_inside(name: str, other: str) -> bool:
    return name.startswith(f"{other}__")
