"""Errors for names of HopsML that this package lacks; they say what to use instead.

They are raised when the name is called, not when it is imported: programs import more than they
call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from hopsml_flows.errors import UnsupportedOperationError

__all__ = ["SDK", "unavailable"]

SDK = "is a service of Hopsworks: use its SDK (pip install hopsworks, hopsworks.login())"
"""Advice for names that only a Hopsworks cluster can serve."""


def unavailable(module: str, advice: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that knows the names of HopsML's module.

    Args:
        module: The module's name.
        advice: For each name, the rest of a sentence that says what to use instead.

    Example:
        >>> unavailable("hopsml_flows.util", {"num_gpus": "is now devices.get_num_gpus()"})(
        ...     "num_gpus"
        ... )()
        Traceback (most recent call last):
        hopsml_flows.errors.UnsupportedOperationError: util.num_gpus is now devices.get_num_gpus()
    """

    def lookup(name: str) -> Any:
        if name not in advice:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")

        def refuse(*_: object, **__: object) -> NoReturn:
            short = module.rpartition(".")[2]
            raise UnsupportedOperationError(f"{short}.{name} {advice[name]}")

        refuse.__name__ = refuse.__qualname__ = name
        return refuse

    return lookup
