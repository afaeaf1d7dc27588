"""What a training function reports while its trial runs, and where that goes.

It knows nothing of who listens: a metric goes to the trial's scalars, a line to its log.
"""

from __future__ import annotations

import threading

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.trials import DEFAULT_KEY, Reports, output_tag

__all__ = ["Reporter"]


class Reporter:
    """Reports of one trial; may be used from several threads.

    Args:
        scalars: Where curves go.
        log: Where lines go.
        key: The experiment's optimization key, or None.
    """

    def __init__(self, scalars: Scalars, log: OutputLog, key: str | None) -> None:
        self._scalars = scalars
        self._log = log
        self._key = key or DEFAULT_KEY
        self._reports = Reports()
        self._lock = threading.RLock()  # a signal handler may report, too

    @property
    def key(self) -> str:
        """The experiment's optimization key."""
        return self._key

    @property
    def step(self) -> int | None:
        """The last step that was reported, or None."""
        return None if self._reports.last is None else self._reports.last.step

    def broadcast(self, metric: object, step: object = None) -> None:
        """Report the metric that the experiment optimizes, as it is now.

        TensorBoard shows it as a curve of the trial, and in the HPARAMS tab.

        Args:
            metric: A number, a NumPy scalar, or a tensor of one element; may be NaN.
            step: A whole number from 0, such as the epoch: the previous one or more. None for the
                previous one plus 1.

        Raises:
            InvalidReportError: One of them is something else.
            NotInTrialError: The trial is over.
        """
        self._check_running()
        with self._lock:
            report = self._reports.add(metric, step)
            self._scalars.write(output_tag(self._key), report.metric, report.step)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point to another curve of the trial in TensorBoard; it is no metric.

        Args:
            name: The curve's name.
            value: The number.
            step: Its step, from 0.
        """
        self._scalars.write(name, value, step)

    def log(self, msg: object) -> None:
        """Write a line to the trial's ``output.log``.

        Args:
            msg: The text, or anything that has one.

        Raises:
            NotInTrialError: The trial is over.
        """
        self._check_running()
        self._log.write("reporter", f"{msg}\n")

    def _check_running(self) -> None:
        # A thread that the training function left behind would write after the log was closed.
        if self._log.closed:
            raise NotInTrialError("the trial of this reporter is over")
