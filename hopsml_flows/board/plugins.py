"""TensorBoard's plugins for an experiment that runs: HPARAMS knows which trials do.

TensorBoard's pages take a while to import: only its own process does.
"""

from __future__ import annotations

from typing import Any

from hopsml_flows.board.running_trials import with_running

__all__ = ["plugins_while_running"]


def plugins_while_running() -> list[Any]:
    """TensorBoard's own plugins, of which HPARAMS knows running trials."""
    from tensorboard.default import get_plugins
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

    class RunningContext(Context):  # type: ignore[misc]  # TensorBoard has no types
        def hparams_metadata(self, *args: Any, **kwargs: Any) -> dict[str, dict[str, bytes]]:
            return with_running(super().hparams_metadata(*args, **kwargs))

    class RunningTrials(HParamsPlugin):  # type: ignore[misc]  # TensorBoard has no types
        def __init__(self, context: Any) -> None:
            super().__init__(context)
            # Private, and the only place where all of the plugin's answers get their data from;
            # tests/integration/test_managed_tensorboard.py fails when it changes.
            self._context = RunningContext(context)

    return [RunningTrials if plugin is HParamsPlugin else plugin for plugin in get_plugins()]
