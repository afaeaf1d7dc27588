"""Reporting from inside a training function, named as in Maggy.

A training function with an argument ``reporter`` is given it; these functions find it from
anywhere in the trial's code.
"""

from __future__ import annotations

from hopsml_flows.execution import Reporter, current_trial

__all__ = ["Reporter", "broadcast", "current", "log"]


def current() -> Reporter:
    """The running trial's reporter.

    Raises:
        NotInTrialError: No trial is running here.
    """
    return current_trial("reporter.current()").reporter


def broadcast(metric: object, step: object = None) -> None:
    """Report the metric that the experiment optimizes, as it is now.

    Args:
        metric: A number, a NumPy scalar, or a tensor of one element; may be NaN.
        step: A whole number from 0, such as the epoch: the previous one or more. None for the
            previous one plus 1.

    Raises:
        InvalidReportError: One of them is something else.
        NotInTrialError: No trial is running here.
    """
    current_trial("reporter.broadcast()").reporter.broadcast(metric, step)


def log(msg: object) -> None:
    """Write a line to the running trial's ``output.log``.

    Args:
        msg: The text, or anything that has one.

    Raises:
        NotInTrialError: No trial is running here.
    """
    current_trial("reporter.log()").reporter.log(msg)
