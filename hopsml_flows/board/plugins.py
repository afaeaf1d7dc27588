"""TensorBoard's plugins for an experiment that runs: HPARAMS knows which trials do.

Imports TensorBoard's pages, which takes a while: for its own process alone.
"""

from __future__ import annotations

from typing import Any

from tensorboard.default import get_plugins
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

from hopsml_flows.board.running import with_running

__all__ = ["plugins_while_running"]


class _Context(Context):  # type: ignore[misc]  # TensorBoard has no types
    def hparams_metadata(self, *args: Any, **kwargs: Any) -> dict[str, dict[str, bytes]]:
        return with_running(super().hparams_metadata(*args, **kwargs))


class _RunningTrials(HParamsPlugin):  # type: ignore[misc]  # TensorBoard has no types
    def __init__(self, context: Any) -> None:
        super().__init__(context)
        # Private, and the only place where all of the plugin's answers get their data from;
        # tests/integration/test_managed_tensorboard.py fails when it changes.
        self._context = _Context(context)


def plugins_while_running() -> list[Any]:
    """TensorBoard's own plugins, of which HPARAMS knows running trials."""
    return [_RunningTrials if plugin is HParamsPlugin else plugin for plugin in get_plugins()]
