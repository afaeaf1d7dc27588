"""Questions about experiments, answered from their directories alone.

Neither the flow that runs an experiment nor a Prefect server is needed, and nothing is changed.
"""

from hopsml_flows.service.finding import (
    LAST,
    TrialDirectory,
    experiments,
    find_experiment,
    find_trial,
    trial_directories,
)

__all__ = [
    "LAST",
    "TrialDirectory",
    "experiments",
    "find_experiment",
    "find_trial",
    "trial_directories",
]
