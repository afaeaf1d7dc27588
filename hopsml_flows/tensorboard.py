"""TensorBoard from inside a training function, named as in ``hops.tensorboard``."""

from __future__ import annotations

from hopsml_flows.execution import current_trial

__all__ = ["logdir"]


def logdir() -> str:
    """Local directory for the running trial's TensorBoard events.

    It is always local, since TensorFlow writes to no remote storage; the project brings its
    content to the trial's directory on storage.

    Returns:
        An absolute path.

    Raises:
        NotInTrialError: No trial is running here.
    """
    return str(current_trial("tensorboard.logdir()").logdir)
