"""TensorBoard in a child process, which shows directories of a project on any storage.

The parent process holds the socket, restarts a TensorBoard that dies, and ends it;
``tensorboard_program`` is the child's program. TensorBoard reads the project and writes nothing to
it. The driver decides which experiment gets a TensorBoard, and who learns its URL.
"""

from hopsml_flows.board.foreground import serve
from hopsml_flows.board.inline import show_inline
from hopsml_flows.board.scope import Shown
from hopsml_flows.board.settings import HOST_VARIABLE, SWITCH_VARIABLE, host, switched_on
from hopsml_flows.board.tensorboard_process import Board

__all__ = [
    "HOST_VARIABLE",
    "SWITCH_VARIABLE",
    "Board",
    "Shown",
    "host",
    "serve",
    "show_inline",
    "switched_on",
]
