"""Makes Prefect's task run available to training code, in the training process.

``get_run_logger()``, ``prefect.runtime`` and artifacts work in a training function as in any task.
Importing Prefect takes longer than most trials, so this module does not import it: it enters the
task run's context when training code imports Prefect.
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
    """Makes a task run the current one in another process, once that process imports Prefect.

    Args:
        task_run: The task run, as JSON.
        settings: Environment variables that tell Prefect its server.
    """

    def __init__(self, task_run: str, settings: dict[str, str]) -> None:
        self._task_run = task_run
        self._settings = settings
        self._stack: ExitStack | None = None

    @classmethod
    def current(cls) -> TaskRunSurroundings | None:
        """Return the surroundings of the current task run; None outside of a task run."""
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
        # The training process restores its environment after the trial.
        os.environ.update(self._settings)
        if _MODULE in sys.modules:
            with suppress(Exception):  # a trial can do without Prefect's context
                self._enter_context()
        else:
            finder = _AfterImport(self._enter_context)
            sys.meta_path.insert(0, finder)
            self._stack.callback(_remove, finder)
        return self

    def __exit__(self, *_: object) -> None:
        if self._stack is not None:
            # If a thread or coroutine imported Prefect, the context is its own, and gone by now.
            with suppress(Exception):
                self._stack.close()

    def _enter_context(self) -> None:
        from hopsml_flows.prefect_internals.contexts import task_run_context

        if self._stack is not None:
            self._stack.enter_context(task_run_context(self._task_run))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function once, after ``prefect.context`` is imported."""

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
        _remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a module with another loader, then calls a function."""

    def __init__(self, loader: Any, then: Any) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        with suppress(Exception):  # the import succeeds in any case
            self._then()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _remove(finder: _AfterImport) -> None:
    with suppress(ValueError):
        sys.meta_path.remove(finder)
