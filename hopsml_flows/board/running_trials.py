"""Adds the status "running" to the data of TensorBoard's HPARAMS tab. No I/O.

Event files cannot say that a trial runs: TensorBoard keeps the first status that it reads, and
shows a trial without one as "unknown". While an experiment runs, a trial without a status runs.
"""

from __future__ import annotations

from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

__all__ = ["with_running"]


def with_running(content: dict[str, dict[str, bytes]]) -> dict[str, dict[str, bytes]]:
    """Return the HParams data of runs, with the status "running" for those that have no end.

    Args:
        content: The data of TensorBoard's HParams plugin, by run and tag.
    """
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_RUNNING)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    running = metadata.create_summary_metadata(data).plugin_data.content
    return {
        run: {metadata.SESSION_END_INFO_TAG: running, **tags}
        if metadata.SESSION_START_INFO_TAG in tags
        else tags
        for run, tags in content.items()
    }
