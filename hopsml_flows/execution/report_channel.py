"""Pass on what a training function reports while its trial runs.

A metric goes to the trial's scalars, a line to its log. This module does not know who reads them.
"""

from __future__ import annotations

import threading

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.execution.report_link import ReportLink
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.trials import DEFAULT_KEY, Reports, output_tag

__all__ = ["Reporter"]


class Reporter:
    """Reports of one trial. May be used from several threads.

    Args:
        scalars: Receives the points of curves.
        log: Receives the lines.
        key: The experiment's optimization key, or None.
        link: Takes the reports on to the driver, and knows what the driver says.
    """

    def __init__(self, scalars: Scalars, log: OutputLog, key: str | None, link: ReportLink) -> None:
        self._scalars = scalars
        self._log = log
        self._key = key or DEFAULT_KEY
        self.link = link
        self._reports = Reports()
        self._lock = threading.RLock()  # a signal handler may report, too

    @property
    def key(self) -> str:
        """The experiment's optimization key."""
        return self._key

    @property
    def step(self) -> int | None:
        """The last reported step, or None."""
        return None if self._reports.last is None else self._reports.last.step

    @property
    def budget(self) -> float | None:
        """How much the trial may spend, in the search's unit, such as epochs; None for any.

        The search may raise it while the trial runs.
        """
        return self.link.budget

    def broadcast(self, metric: object, step: object = None) -> None:
        """Report the current value of the metric that the experiment optimizes.

        TensorBoard shows it as a curve of the trial, and in the HPARAMS tab.

        Args:
            metric: A number, a NumPy scalar, or a tensor of one element; may be NaN.
            step: A whole number from 0, such as the epoch; not below the previous step. None for
                the previous step plus 1.

        Raises:
            InvalidReportError: The metric or the step is invalid.
            NotInTrialError: The trial is over.
            EarlyStopError: The trial is to stop early. Let it pass, or clean up and return.
        """
        self._check_running()
        with self._lock:
            report = self._reports.add(metric, step)
            self._scalars.write(output_tag(self._key), report.metric, report.step)
            self.link.add(report)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point to another curve of the trial in TensorBoard. It is not the metric.

        Args:
            name: The curve's name.
            value: The number.
            step: Its step, from 0.
        """
        self._scalars.write(name, value, step)

    def log(self, msg: object, jupyter: bool = False) -> None:  # noqa: ARG002 - Maggy's
        """Write a line to the trial's ``output.log``.

        Args:
            msg: The text, or an object that is converted with ``str``.
            jupyter: Has no effect. In Maggy it shows the line in the notebook, too.

        Raises:
            NotInTrialError: The trial is over.
        """
        self._check_running()
        self._log.write("reporter", f"{msg}\n")

    def _check_running(self) -> None:
        # A thread that outlives the training function may report after the log was closed.
        if self._log.closed:
            raise NotInTrialError("the trial of this reporter is over")
