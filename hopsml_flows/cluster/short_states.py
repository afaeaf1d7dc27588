"""Whether short task runs report all their states to the Prefect server: a variable says."""

from __future__ import annotations

import os

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["STATES_VARIABLE", "reports_all_states"]

STATES_VARIABLE = "HOPSML_SHORT_TRIAL_STATES"
"""Environment variable of the driver: "final" or "all" states of trials that end in a second."""

_FINAL, _ALL = "final", "all"


def reports_all_states() -> bool:
    """Whether task runs that end within a second report Pending and Running too.

    Raises:
        InvalidArgumentError: The variable ``HOPSML_SHORT_TRIAL_STATES`` says neither.
    """
    text = os.environ.get(STATES_VARIABLE, "")
    if text.lower() not in ("", _FINAL, _ALL):
        raise InvalidArgumentError(STATES_VARIABLE, text, f'must be "{_FINAL}" or "{_ALL}"')
    return text.lower() == _ALL
