"""Questions about experiments, answered from their directories alone.

Neither the flow that runs an experiment nor a Prefect server is needed, and nothing is changed.
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
