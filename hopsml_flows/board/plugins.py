"""TensorBoard's plugins for a running experiment: the HPARAMS tab shows which trials run.

Only TensorBoard's own process imports this module: the plugins take a while to import.
"""

from __future__ import annotations

from typing import Any

from hopsml_flows.board.running_trials import with_running

__all__ = ["plugins_while_running"]


def plugins_while_running() -> list[Any]:
    """Return TensorBoard's own plugins, with HPARAMS extended by running trials."""
    from tensorboard.default import get_plugins
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

    class RunningContext(Context):  # type: ignore[misc]  # TensorBoard has no types
        def hparams_metadata(self, *args: Any, **kwargs: Any) -> dict[str, dict[str, bytes]]:
            return with_running(super().hparams_metadata(*args, **kwargs))

    class RunningTrials(HParamsPlugin):  # type: ignore[misc]  # TensorBoard has no types
        def __init__(self, context: Any) -> None:
            super().__init__(context)
            # Private, but the only source of data for all of the plugin's answers.
            # tests/integration/test_managed_tensorboard.py fails when it changes.
            self._context = RunningContext(context)

    return [RunningTrials if plugin is HParamsPlugin else plugin for plugin in get_plugins()]
