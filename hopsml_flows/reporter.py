"""Reports for training functions, named as in Maggy.

A training function with an argument ``reporter`` receives the trial's reporter. These functions
find it from anywhere in the trial's code.

Example:
    >>> from hopsml_flows import reporter
    >>> def train(lr):
    ...     loss = 1.0
    ...     for epoch in range(10):
    ...         loss *= 1 - lr
    ...         reporter.broadcast(loss, step=epoch)
    ...     return loss
"""

from __future__ import annotations

from hopsml_flows.execution import Reporter, current_trial

__all__ = ["Reporter", "broadcast", "current", "log"]


def current() -> Reporter:
    """Return the running trial's reporter.

    Raises:
        NotInTrialError: No trial is running here.
    """
    return current_trial("reporter.current()").reporter


def broadcast(metric: object, step: object = None) -> None:
    """Report the current value of the metric that the experiment optimizes.

    Args:
        metric: A number, a NumPy scalar, or a tensor with one element; may be NaN.
        step: A whole number from 0, such as the epoch, that is not below the previous step. None
            for the previous step plus 1.

    Raises:
        InvalidReportError: ``metric`` or ``step`` is something else.
        NotInTrialError: No trial is running here.
    """
    current_trial("reporter.broadcast()").reporter.broadcast(metric, step)


def log(msg: object, jupyter: bool = False) -> None:
    """Write a line to the running trial's ``output.log``.

    Args:
        msg: The text, or an object whose ``str`` is written.
        jupyter: Has no effect. In Maggy it shows the line in the notebook, too.

    Raises:
        NotInTrialError: No trial is running here.
    """
    current_trial("reporter.log()").reporter.log(msg, jupyter)
