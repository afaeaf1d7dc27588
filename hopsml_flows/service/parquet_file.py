"""Rows of trials as a Parquet file; needs pyarrow."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from hopsml_flows.errors import MissingPackageError
from hopsml_flows.service.trial_rows import columns_of
from hopsml_flows.values.plain import json_value

__all__ = ["can_write_parquet", "parquet_bytes"]


def can_write_parquet() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def parquet_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as a Parquet file. A column with values of several kinds is one of texts.

    Args:
        rows: The rows.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError(
            "Parquet needs pyarrow, which is not installed (pip install pyarrow)"
        ) from error
    columns = {}
    for name in columns_of(rows):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
            parquet.write_table(pa.table({name: columns[name]}), io.BytesIO())  # no empty objects
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            columns[name] = pa.array([None if v is None else _text(v) for v in values])
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _text(value: Any) -> str:
    """Return a value as a text: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(json_value("it", value))
