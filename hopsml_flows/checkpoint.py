"""The directory for a trial's checkpoints, for training functions.

Example:
    >>> from hopsml_flows import checkpoint
    >>> def train(lr, budget):
    ...     import pathlib
    ...     state = pathlib.Path(checkpoint.dir(), "state.txt")
    ...     loss, done = 1.0, 0
    ...     if state.exists():  # a rung before, or an attempt that was lost
    ...         loss, done = map(float, state.read_text().split())
    ...     for epoch in range(int(done), int(budget)):
    ...         loss *= 1 - lr
    ...         state.write_text(f"{loss} {epoch + 1}")
    ...     return {"loss": loss}
"""

from __future__ import annotations

from hopsml_flows.execution import current_trial

__all__ = ["dir"]


def dir() -> str:  # noqa: A001 - a short name, used as checkpoint.dir()
    """Return the local directory for the running trial's checkpoints.

    What lies there is kept with the trial on the project's storage. If the trial's worker dies,
    the next attempt finds what the earlier one left. A trial that a search promotes begins with a
    copy of what the promoted trial has there, also on another worker. In a distributed trial it
    is :func:`hopsml_flows.distributed.checkpoint_dir`.

    Returns:
        An absolute path with a slash at its end, like that of ``tensorboard.logdir()``.

    Raises:
        NotInTrialError: No trial is running here.
        StorageUnavailableError: Storage does not give the earlier files.
    """
    return f"{current_trial('checkpoint.dir()').checkpoints()}/"
