"""What an experiment stores and shows: record, summary, versions, HParams events, progress.

``tracking.prefect`` needs Prefect, ``tracking.pictures`` draws. Import these by name.
"""

from hopsml_flows.tracking.hparams import (
    end_events,
    experiment_events,
    start_events,
    text_parameters,
    trial_events,
)
from hopsml_flows.tracking.hparams_sessions import Sessions
from hopsml_flows.tracking.progress import Progress, open_progress, show_start
from hopsml_flows.tracking.record import ExperimentRecord, RecordFile
from hopsml_flows.tracking.record_reader import (
    intact_record,
    read_record,
    read_summary,
    read_trials,
)
from hopsml_flows.tracking.summary import Summary

__all__ = [
    "ExperimentRecord",
    "Progress",
    "RecordFile",
    "Sessions",
    "Summary",
    "end_events",
    "experiment_events",
    "intact_record",
    "open_progress",
    "read_record",
    "read_summary",
    "read_trials",
    "show_start",
    "start_events",
    "text_parameters",
    "trial_events",
]
