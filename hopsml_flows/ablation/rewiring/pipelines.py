"""scikit-learn pipelines without some of their steps, which are passed through."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hopsml_flows.ablation.structure import Structure, chain

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


def without_columns(model: Any, features: Collection[str]) -> Any:
    """Take columns out of what a pipeline's ``ColumnTransformer`` asks for.

    Args:
        model: A pipeline, a ColumnTransformer, or another model, which stays as it is.
        features: Names of columns.
    """
    for transformer in _column_transformers(model):
        transformer.transformers = [
            (name, step, _left(columns, features))
            for name, step, columns in transformer.transformers
        ]
    return model


def _left(columns: Any, features: Collection[str]) -> Any:
    if isinstance(columns, (list, tuple)):
        return [column for column in columns if column not in features]
    return [] if isinstance(columns, str) and columns in features else columns


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
