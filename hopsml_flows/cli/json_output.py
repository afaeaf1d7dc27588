"""What ``--json`` prints: strict JSON that any program can read."""

from __future__ import annotations

import json
import sys
from typing import Any

from hopsml_flows.values.plain import FILE_LEVELS, json_value

__all__ = ["json_text", "print_json"]


def json_text(value: Any) -> str:
    r"""Return a value as JSON. Numbers that are not finite are texts, characters are ASCII.

    Args:
        value: The value.

    Example:
        >>> json_text({"metric": float("nan")})
        '{\n "metric": "NaN"\n}'
    """
    return json.dumps(json_value("it", value, levels=FILE_LEVELS), indent=1, allow_nan=False)


def print_json(value: Any) -> None:
    """Print a value as JSON.

    Args:
        value: The value.
    """
    sys.stdout.write(f"{json_text(value)}\n")
    sys.stdout.flush()
