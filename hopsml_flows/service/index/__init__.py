"""An index of a project's experiments and trials, which lists them fast and can always be rebuilt.

The directories on storage are the truth; the index is a copy of what they say, in the machine's
cache directory.
"""

from hopsml_flows.service.index.entries import Column, ExperimentEntry, ExperimentState
from hopsml_flows.service.index.experiment_index import (
    ExperimentIndex,
    ExperimentPage,
    Refreshed,
    Series,
    TrialPage,
)
from hopsml_flows.service.index.queries import (
    EXPERIMENT_COLUMNS,
    LONGEST_TEXT,
    MOST_CONDITIONS,
    TRIAL_COLUMNS,
    Condition,
    ExperimentQuery,
    TrialQuery,
    parse_condition,
    parse_time,
)

__all__ = [
    "EXPERIMENT_COLUMNS",
    "LONGEST_TEXT",
    "MOST_CONDITIONS",
    "TRIAL_COLUMNS",
    "Column",
    "Condition",
    "ExperimentEntry",
    "ExperimentIndex",
    "ExperimentPage",
    "ExperimentQuery",
    "ExperimentState",
    "Refreshed",
    "Series",
    "TrialPage",
    "TrialQuery",
    "parse_condition",
    "parse_time",
]
