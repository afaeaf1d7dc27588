"""Stand-ins for the driver's modules in a training process, above all for its ``__main__``.

Pickle finds a class by its module and name, and a script's classes are in ``__main__``. Training
code pickles them when it uses multiprocessing, ``torch.save`` or joblib. So the training process
needs a ``__main__`` with the script's names and its file.

Processes that training code starts by "spawn" or "forkserver" would run the script again, and with
it the experiment. They run :mod:`hopsml_flows.execution.process.spawned_main` instead, which
rebuilds the same names from the packed function.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["PAYLOAD_VARIABLE", "install", "install_main"]

PAYLOAD_VARIABLE = "HOPSML_TRAINING_FUNCTION"
"""Environment variable that tells spawned processes the path of the packed function."""

_SPAWNED = "hopsml_flows.execution.process.spawned_main"


def install_main(
    members: Mapping[str, Any],
    file: str | None,
    lazy: Mapping[str, Callable[[], Any]],
    imports: Mapping[str, str],
) -> None:
    """Replace this process's ``__main__`` by a module that has the script's names.

    Args:
        members: Name to object.
        file: The script's file on the driver's machine, or None.
        lazy: Name to a function that makes its object on first access.
        imports: Name to the module that is imported on first access.
    """

    def missing(name: str) -> Any:
        if name in lazy:
            value = lazy[name]()
        elif name in imports:
            value = importlib.import_module(imports[name])
        else:
            raise AttributeError(f"module '__main__' has no attribute {name!r}")
        setattr(sys.modules["__main__"], name, value)
        return value

    module = ModuleType("__main__")
    vars(module).update(members)
    vars(module)["__getattr__"] = missing
    if file is not None:
        module.__file__ = file
    # With a spec, multiprocessing makes a spawned process import that name instead of the script.
    module.__spec__ = ModuleSpec(_SPAWNED, None)
    sys.modules["__main__"] = module


def install(name: str, members: Mapping[str, Any], file: str | None) -> None:
    """Make a module of objects that travelled by value, unless one of that name is loaded.

    The first access to any other name executes the real module, if this machine has it.

    Args:
        name: The module's name.
        members: Name to object.
        file: Its file on the driver's machine, or None.
    """
    if name in sys.modules:
        return
    spec = _find_spec(name)

    def missing(attribute: str) -> Any:
        if spec is None or spec.loader is None:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        original = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(original)
        for member, value in vars(original).items():
            vars(module).setdefault(member, value)
        del vars(module)["__getattr__"]
        return getattr(module, attribute)

    module = ModuleType(name)
    vars(module).update(members)
    vars(module)["__getattr__"] = missing
    module.__file__ = file
    if spec is not None and spec.submodule_search_locations is not None:
        module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module


def _find_spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its package is missing here
        return None
