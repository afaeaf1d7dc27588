"""The log of the driver's state machines: each event and the instructions that followed.

It is off by default. For a bug report, set the logger "hopsml_flows.driver.machine_log" to DEBUG
before the experiment starts. The arguments of each log record are the machine's name, the event and
the instructions themselves, which :func:`~hopsml_flows.trials.replay` takes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from hopsml_flows.trials import Recorder, ignore

__all__ = ["recorder"]

_logger = logging.getLogger(__name__)


def recorder(machine: str) -> Recorder:
    """Log what a machine handles, if the logger is at DEBUG now.

    Args:
        machine: Name of the machine in the log, unique in the experiment.
    """
    return partial(_log, machine) if _logger.isEnabledFor(logging.DEBUG) else ignore


def _log(machine: str, event: object, instructions: Sequence[object]) -> None:
    _logger.debug("%s: %r -> %r", machine, event, tuple(instructions))
