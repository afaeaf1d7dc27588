"""TensorBoard from inside a training function, named as in ``hops.tensorboard``.

The TensorBoard that shows the trials is the experiment's, which its driver starts; a training
function only writes what it shows.
"""

from __future__ import annotations

from os import PathLike
from typing import NoReturn

from hopsml_flows.errors import NotFoundError, UnsupportedOperationError
from hopsml_flows.execution import current_trial

__all__ = ["interactive_debugger", "logdir", "non_interactive_debugger", "visualize"]


def logdir() -> str:
    """Local directory for the running trial's TensorBoard events.

    It is always local, since TensorFlow writes to no remote storage; the project brings its
    content to the trial's directory on storage.

    Returns:
        An absolute path with a slash at its end, as HopsML's: ``logdir() + "model.pt"`` lies
        inside.

    Raises:
        NotInTrialError: No trial is running here.
    """
    return f"{current_trial('tensorboard.logdir()').logdir}/"


def visualize(
    hdfs_root_logdir: str | PathLike[str], *, host: str | None = None, port: int | None = None
) -> None:
    """Show all events below a directory in a TensorBoard, until Ctrl-C or a kernel's interrupt.

    Args:
        hdfs_root_logdir: An experiment's path, or any directory: relative to the project, a URL,
            or an absolute path.
        host: Address to listen on; ``HOPSML_TENSORBOARD_HOST`` or this machine's own otherwise.
        port: Port to listen on; 6006 otherwise, or a free one where that is taken.

    Raises:
        NotFoundError: There is no such directory.
        InvalidArgumentError: There is no such address, or the port is taken.
        TensorBoardError: TensorBoard does not run.
    """
    from hopsml_flows.board import Shown, serve  # not needed where a trial runs
    from hopsml_flows.hdfs.places import place_of

    place = place_of(hdfs_root_logdir, argument="hdfs_root_logdir")
    if not place.project.entries(place.path):
        raise NotFoundError(
            "hdfs_root_logdir", place.full, "must be a directory with something in it"
        )
    serve(Shown(place.project, (("", place.path),), place.name), host=host, port=port)


def interactive_debugger() -> NoReturn:
    """Not to be had any more: TensorFlow 2 has no debugger that a TensorBoard steps through.

    Raises:
        UnsupportedOperationError: Always; says what there is instead.
    """
    _no_debugger("interactive_debugger")


def non_interactive_debugger() -> NoReturn:
    """Not to be had any more: TensorFlow 2 has no debugger that listens on a port.

    Raises:
        UnsupportedOperationError: Always; says what there is instead.
    """
    _no_debugger("non_interactive_debugger")


def _no_debugger(name: str) -> NoReturn:
    raise UnsupportedOperationError(
        f"tensorboard.{name}() is for the debugger of TensorFlow 1, which TensorFlow and "
        "TensorBoard no longer have; in TensorFlow 2, tf.debugging.experimental."
        "enable_dump_debug_info(tensorboard.logdir()) writes what the DEBUGGER V2 tab of "
        "`tensorboard --logdir <the trial's directory>` shows"
    )
