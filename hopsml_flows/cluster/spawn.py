"""Starting worker processes from scripts that have no ``if __name__ == "__main__"`` guard.

Python's ``spawn`` runs the main script again in each child, which in a script that starts an
experiment at its top level would start the experiment again. HopsML's programs are such scripts.
Workers need nothing of it: what is defined in ``__main__`` travels by value.
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
    """Keep Dask's worker processes from importing the main script, while the block runs.

    It covers restarts too: a worker that died is spawned again by its nanny in this process. What
    the user has put there meanwhile stays.

    ``get_preparation_data`` is an undocumented function of the standard library and the only
    place where this is decided; ``tests/unit/test_spawn.py`` fails when it changes.
    """
    global _users, _replaced
    spawn: Any = multiprocessing.spawn  # typed as a function that is never replaced
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
    def prepared(name: str) -> dict[str, Any]:
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

    return prepared


def _without_directory(name: str) -> dict[str, Any]:
    """What a child is told by a process whose working directory was removed.

    The standard library asks for that directory, and tells the child to change there.
    """
    return {
        "authkey": multiprocessing.current_process().authkey,
        "name": name,
        "sys_path": list(sys.path),
        "sys_argv": sys.argv,
        "dir": standing_directory(),
        "start_method": multiprocessing.get_start_method(),
    }
