"""What HopsML had and this package has not: errors that say what to write instead.

They are raised when a name is used, not when it is imported: programs import more than they call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from hopsml_flows.errors import UnsupportedOperationError

__all__ = ["SDK", "unavailable"]

SDK = "is a service of Hopsworks: use its SDK (pip install hopsworks, hopsworks.login())"
"""Advice for what only a Hopsworks cluster can answer."""


def unavailable(module: str, advice: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that knows names of HopsML's module.

    Args:
        module: The module's name.
        advice: Name to the rest of a sentence about it.
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
