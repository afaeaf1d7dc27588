"""TensorBoard as a process of its own, over directories of a project on any storage.

The process that starts one holds its socket, looks after it and ends it; ``child`` is what runs in
it. What it shows is read from storage, never written. Which experiment gets one, and who is told
of it, is decided elsewhere.
"""

from hopsml_flows.board.foreground import serve
from hopsml_flows.board.scope import Shown
from hopsml_flows.board.settings import HOST_VARIABLE, SWITCH_VARIABLE, host, switched_on
from hopsml_flows.board.tensorboard_process import Board

__all__ = ["HOST_VARIABLE", "SWITCH_VARIABLE", "Board", "Shown", "host", "serve", "switched_on"]
