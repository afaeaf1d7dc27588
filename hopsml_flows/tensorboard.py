"""TensorBoard for training functions, named as in ``hops.tensorboard``.

The experiment's driver starts the TensorBoard that shows the trials. A training function only
writes the events that it shows.
"""

from __future__ import annotations

from os import PathLike
from typing import NoReturn

from hopsml_flows.errors import NotFoundError, UnsupportedOperationError
from hopsml_flows.execution import current_trial
from hopsml_flows.notebook import in_notebook

__all__ = ["interactive_debugger", "logdir", "non_interactive_debugger", "visualize"]


def logdir() -> str:
    """Return the local directory for the running trial's TensorBoard events.

    The directory is always local, because TensorFlow cannot write to remote storage. Where it is
    not the trial's directory on storage, its content is copied there.

    Returns:
        An absolute path with a slash at its end, as in HopsML, so that
        ``logdir() + "model.pt"`` lies inside.

    Raises:
        NotInTrialError: No trial is running here.

    Example:
        >>> from hopsml_flows import tensorboard
        >>> def train(lr):
        ...     from torch.utils.tensorboard import SummaryWriter
        ...     writer = SummaryWriter(tensorboard.logdir())
    """
    return f"{current_trial('tensorboard.logdir()').logdir}/"


def visualize(
    hdfs_root_logdir: str | PathLike[str], *, host: str | None = None, port: int | None = None
) -> None:
    """Show all events below a directory in a TensorBoard.

    In a notebook it is shown in a frame below the cell, runs until the kernel ends, and the call
    returns at once. Elsewhere the call prints the URL, and returns after Ctrl-C.

    Args:
        hdfs_root_logdir: The directory, such as an experiment's: a path relative to the project, a
            URL, or an absolute path.
        host: Address to listen on; None for ``HOPSML_TENSORBOARD_HOST``, or 127.0.0.1 if that is
            not set.
        port: Port to listen on, 0 for any free one; None for 6006, or any free one if that is
            taken.

    Raises:
        NotFoundError: The directory does not exist, or is empty.
        InvalidArgumentError: This machine does not have the address, or the port is not free.
        TensorBoardError: TensorBoard cannot run. In a notebook this is a warning, since the call
            has returned by then.
    """
    from hopsml_flows.board import Shown, serve, show_inline  # not needed where a trial runs
    from hopsml_flows.hdfs.places import place_of

    place = place_of(hdfs_root_logdir, argument="hdfs_root_logdir")
    if not place.project.entries(place.path):
        raise NotFoundError("hdfs_root_logdir", place.full, "must be a directory that is not empty")
    shown = Shown(place.project, (("", place.path),), place.name)
    show = show_inline if in_notebook() else serve
    show(shown, host=host, port=port)


def interactive_debugger() -> NoReturn:
    """Always raise: TensorFlow 2 has no debugger that a TensorBoard can step through.

    Raises:
        UnsupportedOperationError: Always; says what there is instead.
    """
    _no_debugger("interactive_debugger")


def non_interactive_debugger() -> NoReturn:
    """Always raise: TensorFlow 2 has no debugger that listens on a port.

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
