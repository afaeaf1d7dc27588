"""Starts worker processes from scripts that have no ``if __name__ == "__main__"`` guard.

Python's ``spawn`` runs the main script again in each child. A script that starts an experiment at
its top level, as HopsML's programs do, would then start the experiment again. Workers do not need
the script: what it defines in ``__main__`` is pickled by value.
"""

from __future__ import annotations

import multiprocessing.spawn
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hopsml_flows.execution.current_directory import here, standing_directory

__all__ = ["without_main_module"]

_DASK_PROCESS = "Dask Worker process"

_Prepare = Callable[[str], dict[str, Any]]

_lock = threading.Lock()
_users = 0
_replaced: tuple[_Prepare, _Prepare] | None = None


@contextmanager
def without_main_module() -> Iterator[None]:
    """Keep Dask's worker processes from importing the main script during the block.

    This includes restarts: the nanny of a dead worker spawns it again from this process. If the
    user replaces the same function during the block, the user's stays.

    Only ``get_preparation_data`` decides this, an undocumented function of the standard library;
    ``tests/unit/test_spawn.py`` fails when it changes.
    """
    global _users, _replaced
    spawn: Any = multiprocessing.spawn  # its type forbids replacing the function
    with _lock:
        _users += 1
        if _users == 1:
            original = spawn.get_preparation_data
            _replaced = original, _without_main(original)
            spawn.get_preparation_data = _replaced[1]
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _replaced is not None:
                original, ours = _replaced
                _replaced = None
                if spawn.get_preparation_data is ours:
                    spawn.get_preparation_data = original


def _without_main(original: _Prepare) -> _Prepare:
    def prepare(name: str) -> dict[str, Any]:
        try:
            data = original(name)
        except FileNotFoundError:
            if here() is not None:
                raise
            data = _without_directory(name)
        if _users and name.startswith(_DASK_PROCESS):
            data.pop("init_main_from_path", None)
            data.pop("init_main_from_name", None)
        return data

    return prepare


def _without_directory(name: str) -> dict[str, Any]:
    """Preparation data for a child of a process whose working directory was removed.

    The standard library would ask for that directory, and have the child change to it.
    """
    return {
        "authkey": multiprocessing.current_process().authkey,
        "name": name,
        "sys_path": list(sys.path),
        "sys_argv": sys.argv,
        "dir": standing_directory(),
        "start_method": multiprocessing.get_start_method(),
    }
