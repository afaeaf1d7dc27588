"""Find experiments and trials, and read their logs, from the project's storage alone.

No running flow and no Prefect server is needed. Nothing on storage is changed.
"""

from hopsml_flows.service.experiment_finder import (
    LAST,
    TrialDirectory,
    find_experiment,
    find_trial,
    trial_directories,
)
from hopsml_flows.tracking.listing import experiments

__all__ = [
    "LAST",
    "TrialDirectory",
    "experiments",
    "find_experiment",
    "find_trial",
    "trial_directories",
]
