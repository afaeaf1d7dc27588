"""What TensorBoard sees of a trial's directory, read by its own reader; without TensorFlow."""

from __future__ import annotations

import sys
import types

# TensorBoard's own switch: its readers take their stand-in for TensorFlow, which imports at once.
sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))

from tensorboard.backend.event_processing import plugin_event_accumulator  # noqa: E402
from tensorboard.plugins.hparams import api_pb2, metadata  # noqa: E402
from tensorboard.util import tensor_util  # noqa: E402


class Run:
    """A directory as TensorBoard knows it, from one reload to the next."""

    def __init__(self, directory):
        self._seen = plugin_event_accumulator.EventAccumulator(
            str(directory),
            tensor_size_guidance={"scalars": 0},  # all of them
            event_file_active_filter=lambda _: True,  # files may grow side by side
        )

    def reload(self):
        """Read what is new; tag to list of (step, value)."""
        self._seen.Reload()
        points = {}
        for tag in self._seen.Tags()["tensors"]:
            if self._seen.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
                points[tag] = [
                    (event.step, tensor_util.make_ndarray(event.tensor_proto).item())
                    for event in self._seen.Tensors(tag)
                ]
        return points

    @property
    def hparams(self):
        """Tag to what the HPARAMS tab is told by it, as serialized by TensorBoard."""
        return dict(self._seen.PluginTagToContent(metadata.PLUGIN_NAME))

    def times(self, tag):
        """The wall times of a tag's points that have been read."""
        return [event.wall_time for event in self._seen.Tensors(tag)]


def scalars(directory):
    """Scalars of all event files of a directory: tag to list of (step, value)."""
    return Run(directory).reload()


def status(directory):
    """A trial's status in the HPARAMS tab: "SUCCESS", "FAILURE", or None while it has no end."""
    run = Run(directory)
    run.reload()
    assert metadata.SESSION_START_INFO_TAG in run.hparams, "it never began"
    end = run.hparams.get(metadata.SESSION_END_INFO_TAG)
    if end is None:
        return None
    told = metadata.parse_session_end_info_plugin_data(end).status
    return api_pb2.Status.Name(told).removeprefix("STATUS_")
