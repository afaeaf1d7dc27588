"""Prefect's task run in the process that a trial runs in, for training code that asks for it.

``get_run_logger()``, ``prefect.runtime`` and artifacts work in a training function as in any task.
Importing Prefect takes longer than most trials: its context is entered when training code imports
it, and not before. So this module imports no Prefect by itself.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["TaskRunSurroundings"]

_MODULE = "prefect.context"


class TaskRunSurroundings:
    """Makes a task run the current one in another process, from when Prefect is imported there.

    Args:
        task_run: The task run, as JSON.
        settings: Environment variables by which Prefect finds its server.
    """

    def __init__(self, task_run: str, settings: dict[str, str]) -> None:
        self._task_run = task_run
        self._settings = settings
        self._stack: ExitStack | None = None

    @classmethod
    def current(cls) -> TaskRunSurroundings | None:
        """Those of the task run that this is called in; None outside of one."""
        from prefect.context import TaskRunContext
        from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL

        from hopsml_flows.prefect_internals.contexts import task_run_text

        context = TaskRunContext.get()
        if context is None:
            return None
        settings = {"PREFECT_API_URL": PREFECT_API_URL.value()}
        if key := PREFECT_API_KEY.value():
            settings["PREFECT_API_KEY"] = key.get_secret_value()
        found = {name: value for name, value in settings.items() if value}
        return cls(task_run_text(context), found)

    def __enter__(self) -> TaskRunSurroundings:
        self._stack = ExitStack()
        os.environ.update(self._settings)  # put back with the rest of the environment
        if _MODULE in sys.modules:
            with suppress(Exception):  # a logger less is no reason to fail
                self._enter_context()
        else:
            finder = _AfterImport(self._enter_context)
            sys.meta_path.insert(0, finder)
            self._stack.callback(_removed, finder)
        return self

    def __exit__(self, *_: object) -> None:
        if self._stack is not None:
            # Imported in a coroutine or a thread, Prefect's context is that one's, and is gone.
            with suppress(Exception):
                self._stack.close()

    def _enter_context(self) -> None:
        from hopsml_flows.prefect_internals.contexts import task_run_context

        if self._stack is not None:
            self._stack.enter_context(task_run_context(self._task_run))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function once, after Prefect's context was imported."""

    def __init__(self, then: Any) -> None:
        self._then = then

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        _removed(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads as another loader does, and then calls a function."""

    def __init__(self, loader: Any, then: Any) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        with suppress(Exception):  # what else training code does with Prefect is not lost by that
            self._then()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _removed(finder: _AfterImport) -> None:
    with suppress(ValueError):
        sys.meta_path.remove(finder)
