"""One trial on a worker: its function, its context, its output, its files."""

from hopsml_flows.execution.capture import LineSink
from hopsml_flows.execution.carrying import EventMakers, carried_out
from hopsml_flows.execution.commits import Damage, Earlier, committed, earlier_trials
from hopsml_flows.execution.context import TrialContext, current_trial, running_trial
from hopsml_flows.execution.devices import visible_gpus
from hopsml_flows.execution.function import TrainingFunction, check_not_loading
from hopsml_flows.execution.kept import take_kept
from hopsml_flows.execution.payload import packed, packed_values
from hopsml_flows.execution.reporter import Reporter
from hopsml_flows.execution.rules import FileRules
from hopsml_flows.execution.run import Job, Place, evaluate
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.execution.signature import argument_defaults, argument_order, check_names
from hopsml_flows.execution.staging import Staging
from hopsml_flows.execution.sync import SYNC_SECONDS

__all__ = [
    "SYNC_SECONDS",
    "Damage",
    "Earlier",
    "EventMakers",
    "FileRules",
    "Job",
    "LineSink",
    "Place",
    "Reporter",
    "Scalars",
    "Staging",
    "TrainingFunction",
    "TrialContext",
    "argument_defaults",
    "argument_order",
    "carried_out",
    "check_names",
    "check_not_loading",
    "committed",
    "current_trial",
    "earlier_trials",
    "evaluate",
    "packed",
    "packed_values",
    "running_trial",
    "take_kept",
    "visible_gpus",
]
