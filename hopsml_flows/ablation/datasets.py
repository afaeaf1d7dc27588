"""Takes features out of datasets, so that they are really absent.

Libraries are recognised by what their objects look like: none is imported. What has no names that
can be read, such as a plain array without ``feature_names``, is an error rather than a guess.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any

from hopsml_flows.ablation.generators import ABLATED, called, takes
from hopsml_flows.ablation.study import StudyParts
from hopsml_flows.errors import AblationError

__all__ = [
    "GIVEN",
    "DatasetFunction",
    "feature_names",
    "nearest",
    "own_copy",
    "told",
    "without_features",
]

GIVEN = (
    "num_epochs",
    "batch_size",
    ABLATED,
    "training_dataset_name",
    "training_dataset_version",
    "label_name",
)
"""Arguments that a dataset generator may have."""


class DatasetFunction:
    """What a training function gets as ``dataset_function``: makes the dataset of its trial.

    Args:
        parts: The study.
        features: The features that the trial leaves out.

    Example:
        >>> data = {"age": [22, 38], "fare": [7.25, 71.28], "survived": [0, 1]}
        >>> DatasetFunction(StudyParts((), dataset=data), ["age"])(num_epochs=1, batch_size=32)
        {'fare': [7.25, 71.28], 'survived': [0, 1]}
    """

    def __init__(self, parts: StudyParts, features: Sequence[str]) -> None:
        self._parts = parts
        self._features = tuple(features)

    def __call__(self, num_epochs: int | None = None, batch_size: int | None = None) -> Any:
        """Make the dataset.

        Args:
            num_epochs: What the generator gets as ``num_epochs``.
            batch_size: What the generator gets as ``batch_size``.

        Returns:
            The dataset without the features of the trial.

        Raises:
            AblationError: The study has no dataset, or a feature cannot be taken out of it.
        """
        parts = self._parts
        if parts.dataset is None:
            raise AblationError(
                "the study has no dataset: call study.set_dataset_generator(f), with a function f "
                "that returns it, or study.set_dataset(data)"
            )
        if not parts.dataset_is_made:
            return own_copy(without_features(parts.dataset, self._features, parts.feature_names))
        values = (num_epochs, batch_size, told(self._features), parts.dataset_name)
        known = dict(zip(GIVEN, (*values, parts.dataset_version, parts.label_name), strict=True))
        made = called(parts.dataset, known, (num_epochs, batch_size))
        if callable(made) and not hasattr(made, "shape") and not hasattr(made, "element_spec"):
            made = called(made, known, (num_epochs, batch_size))
        return without_features(
            made,
            self._features,
            parts.feature_names,
            may_lack=takes(parts.dataset, ABLATED),
        )


def own_copy(data: Any) -> Any:
    """Return a copy of data in memory, which a training function may change.

    Trials that share a process would otherwise train with what another one has made of the data.

    Args:
        data: The dataset. One that cannot be copied is returned itself.

    Example:
        >>> data = {"age": [22, 38]}
        >>> copied = own_copy(data)
        >>> copied["age"].pop()
        38
        >>> data
        {'age': [22, 38]}
    """
    if hasattr(data, "element_spec"):  # nothing can change a tf.data.Dataset
        return data
    try:
        return deepcopy(data)
    except Exception:  # the library's code: what has a lock or an open file cannot be copied
        return data


def told(features: Sequence[str]) -> str | list[str] | None:
    """Return what a generator gets as ``ablated_feature``.

    Args:
        features: The features that the trial leaves out.
    """
    if len(features) > 1:
        return list(features)
    return features[0] if features else None


def without_features(
    data: Any,
    features: Sequence[str],
    names: Sequence[str] | None = None,
    *,
    may_lack: bool = False,
) -> Any:
    """Return a dataset without features; what was given stays as it is.

    Args:
        data: A DataFrame, a dict of columns, an array with named fields, an array with one column
            per name, a ``tf.data.Dataset`` of any of these, an iterator of them, or tuples, lists
            and dicts of them.
        features: The features to take out.
        names: Names of the columns of arrays, in order.
        may_lack: Whether the features may be gone already.

    Raises:
        AblationError: It has no such feature, or no names.

    Example:
        >>> import numpy as np
        >>> x, y = np.array([[22, 7.25], [38, 71.28]]), np.array([0, 1])
        >>> without_features((x, y), ["age"], ["age", "fare"])[0].tolist()
        [[7.25], [71.28]]
    """
    if not features:
        return data
    if _is_iterator(data):
        return _each(data, features, names, may_lack=may_lack)
    taking = _Taking(features, names)
    left = taking.out_of(data)
    missing = [name for name in features if name not in taking.found]
    if missing and not may_lack:
        raise AblationError(_unknown(missing[0], feature_names(data, names)))
    return left


def feature_names(data: Any, names: Sequence[str] | None = None) -> list[str]:
    """Return the names of features that can be read from a dataset, in order, each once.

    Args:
        data: As of :func:`without_features`. Of an iterator, the first element is taken.
        names: Names of the columns of arrays.

    Example:
        >>> feature_names(({"age": [22], "fare": [7.25]}, [0]))
        ['age', 'fare']
    """
    reading = _Taking((), names)
    reading.out_of(data)
    return list(dict.fromkeys(reading.seen))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a name that does not exist, or "".

    Args:
        name: The name.
        known: Names that exist.
    """
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def _unknown(feature: str, known: Sequence[str]) -> str:
    if not known:
        return (
            f"feature {feature!r} cannot be taken out of a dataset without names: give "
            f"feature_names= of its columns, or a dataset generator with an argument {ABLATED}"
        )
    return (
        f"feature {feature!r} is not in the dataset, which has {', '.join(known)}"
        f"{nearest(feature, known)}"
    )


def _each(
    data: Iterator[Any], features: Sequence[str], names: Sequence[str] | None, *, may_lack: bool
) -> Iterator[Any]:
    for element in data:
        yield without_features(element, features, names, may_lack=may_lack)


def _is_iterator(data: Any) -> bool:
    return isinstance(data, Iterator)


class _Taking:
    """Takes features out of one dataset, and remembers which it has seen.

    Args:
        features: The features.
        names: Names of the columns of arrays, or None.
        rows: Whether an array of one dimension is a row rather than a column.
    """

    def __init__(
        self, features: Sequence[str], names: Sequence[str] | None, *, rows: bool = False
    ) -> None:
        self._features = frozenset(features)
        self._names = tuple(names or ())
        self._least = 1 if rows else 2
        self.found: set[str] = set()
        self.seen: list[str] = []

    def out_of(self, data: Any) -> Any:
        """Return what is left of the data."""
        if hasattr(data, "columns") and hasattr(data, "drop"):
            return self._of_table(data)
        if hasattr(data, "element_spec") and hasattr(data, "map"):
            return self._of_tf_data(data)
        if isinstance(data, Mapping):
            return self._of_mapping(data)
        if _is_iterator(data):
            return self._of_iterator(data)
        if isinstance(data, tuple) and hasattr(data, "_fields"):
            return type(data)(*map(self.out_of, data))
        if isinstance(data, (tuple, list)):
            return self._of_sequence(data)
        if hasattr(data, "shape"):
            return self._of_array(data)
        return data

    def _taken(self, names: Sequence[str]) -> list[str]:
        """Return those of the names that are taken out."""
        self.seen += names
        taken = [name for name in names if name in self._features]
        self.found.update(taken)
        return taken

    def _of_table(self, table: Any) -> Any:
        taken = self._taken([name for name in table.columns if isinstance(name, str)])
        if not taken:
            return table
        is_pandas = type(table).__module__.partition(".")[0] == "pandas"
        return table.drop(columns=taken) if is_pandas else table.drop(taken)

    def _of_mapping(self, data: Mapping[Any, Any]) -> Any:
        listed = data.get("feature_names")
        if listed is not None and "data" in data:
            return self._of_bunch(data, [str(name) for name in listed])
        # A dict of parts, such as "train" and "test", has no features of its own.
        columns = [
            key
            for key, value in data.items()
            if isinstance(key, str) and _is_column(value) and not self._has_columns(value)
        ]
        taken = set(self._taken(columns))
        left = {key: value for key, value in data.items() if key not in taken}
        return {key: value if key in columns else self.out_of(value) for key, value in left.items()}

    def _of_bunch(self, data: Mapping[Any, Any], names: list[str]) -> Any:
        """scikit-learn's toy datasets: an array, and the names of its columns beside it."""
        inner = _Taking(tuple(self._features), names)
        changed = {key: inner.out_of(value) if key != "feature_names" else value
                   for key, value in data.items()}  # fmt: skip
        changed["feature_names"] = [name for name in names if name not in self._features]
        self.seen += inner.seen
        self.found |= inner.found
        return type(data)(**changed) if type(data) is not dict else changed

    def _of_sequence(self, data: Any) -> Any:
        if not any(_has_parts(one) for one in data):
            return data  # plain values, such as a column of numbers
        alike = [one.shape[0] for one in data if self._has_columns(one)]
        if len(alike) > len(set(alike)):
            raise AblationError(
                f"two arrays beside each other have {len(self._names)} columns, as many as "
                "feature_names, and one of them may be the label: return a dict or a DataFrame"
            )
        left = [self.out_of(one) for one in data]
        return tuple(left) if isinstance(data, tuple) else left

    def _of_iterator(self, data: Iterator[Any]) -> Any:
        """Return the elements without features; the first one says which there are."""
        first = [self.out_of(element) for element in islice(data, 1)]
        return chain(first, _each(data, tuple(self._features), self._names, may_lack=True))

    def _of_array(self, data: Any) -> Any:
        fields = getattr(getattr(data, "dtype", None), "names", None)
        if fields:
            taken = self._taken(list(fields))
            return _with_fields(data, fields, taken) if taken else data
        if not self._has_columns(data):
            return data
        taken = self._taken(self._names)
        if not taken:
            return data
        keep = [place for place, name in enumerate(self._names) if name not in taken]
        return _columns(data, keep)

    def _has_columns(self, data: Any) -> bool:
        """Whether it is an array with one column per name."""
        shape: Any = getattr(data, "shape", ())
        return bool(self._names) and len(shape) >= self._least and shape[-1] == len(self._names)

    def _of_tf_data(self, dataset: Any) -> Any:
        spec = dataset.element_spec
        features, names = tuple(self._features), self._names
        # Elements are batches, or else single rows.
        look, rows = _Taking(features, names), False
        look.out_of(_Specs.of(spec))
        if not look.seen:
            look, rows = _Taking(features, names, rows=True), True
            look.out_of(_Specs.of(spec))
        self.seen += look.seen
        self.found |= look.found
        if not look.found:
            return dataset
        is_tuple = isinstance(spec, tuple)

        def left(*parts: Any) -> Any:
            return _Taking(features, names, rows=rows).out_of(parts if is_tuple else parts[0])

        tensorflow = sys.modules["tensorflow"]
        return dataset.map(tensorflow.autograph.experimental.do_not_convert(left))


class _Specs:
    """A tensor's shape in place of the tensor, to see which features a dataset has.

    Args:
        shape: The shape.
    """

    def __init__(self, shape: Sequence[Any]) -> None:
        self.shape = tuple(shape)

    def __getitem__(self, place: Any) -> _Specs:
        return self

    @classmethod
    def of(cls, spec: Any) -> Any:
        """Return the structure of an element, with shapes in place of tensors."""
        if isinstance(spec, Mapping):
            return {key: cls.of(value) for key, value in spec.items()}
        if isinstance(spec, (tuple, list)):
            return tuple(map(cls.of, spec))
        shape = getattr(spec, "shape", None)
        return cls(() if shape is None or shape.rank is None else shape)


def _is_column(value: Any) -> bool:
    """Whether a dict's value is a column, or a tensor, rather than a dataset of its own."""
    if isinstance(value, (Mapping, Iterator)):
        return False
    if hasattr(value, "columns") or hasattr(value, "element_spec"):
        return False
    if isinstance(value, (tuple, list)):
        return not any(_has_parts(one) for one in value)
    return not getattr(getattr(value, "dtype", None), "names", None)


def _has_parts(value: Any) -> bool:
    return (
        isinstance(value, (Mapping, tuple, list, Iterator))
        or _has_shape(value)
        or hasattr(value, "element_spec")
    )


def _has_shape(value: Any) -> bool:
    """Whether it is an array or a tensor, and no scalar of NumPy."""
    return hasattr(value, "shape") and not (isinstance(value.shape, tuple) and value.shape == ())


def _with_fields(data: Any, fields: Sequence[str], taken: Sequence[str]) -> Any:
    """Return an array with other fields: packed, since a view would still hold the taken ones."""
    from numpy.lib.recfunctions import repack_fields

    return repack_fields(data[[name for name in fields if name not in taken]])


def _columns(data: Any, keep: list[int]) -> Any:
    """Return an array, a tensor or a sparse matrix with some of its columns."""
    if isinstance(data, _Specs):
        return data
    if type(data).__module__.partition(".")[0] == "tensorflow":
        return sys.modules["tensorflow"].gather(data, keep, axis=-1)
    return data[:, keep] if len(data.shape) == 2 else data[..., keep]
