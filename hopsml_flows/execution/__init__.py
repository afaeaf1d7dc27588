"""Run one trial on a worker: its function, context, output and files."""

from hopsml_flows.execution.call import IN_DRIVER, Place, evaluate
from hopsml_flows.execution.context import TrialContext, current_trial, running_trial
from hopsml_flows.execution.devices import visible_gpus
from hopsml_flows.execution.files.commits import (
    Damage,
    Earlier,
    earlier_confirmations,
    earlier_trials,
    read_committed,
)
from hopsml_flows.execution.files.keep_rules import FileRules
from hopsml_flows.execution.files.kept_files import take_kept
from hopsml_flows.execution.files.staging import Staging
from hopsml_flows.execution.files.sync import SYNC_SECONDS
from hopsml_flows.execution.function import TrainingFunction, check_not_loading, imported
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import LineSink
from hopsml_flows.execution.payload import packed, packed_values
from hopsml_flows.execution.report_channel import Reporter
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.execution.signature import (
    BUDGET,
    BUDGETS_ELSEWHERE,
    argument_defaults,
    argument_order,
    check_names,
)
from hopsml_flows.execution.trial_run import EventMakers, run_trial

__all__ = [
    "BUDGET",
    "BUDGETS_ELSEWHERE",
    "IN_DRIVER",
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
    "check_names",
    "check_not_loading",
    "current_trial",
    "earlier_confirmations",
    "earlier_trials",
    "evaluate",
    "imported",
    "packed",
    "packed_values",
    "read_committed",
    "run_trial",
    "running_trial",
    "take_kept",
    "visible_gpus",
]
