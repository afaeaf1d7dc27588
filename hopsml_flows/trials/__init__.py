"""Trials: what they are, how they are named, and the loop that decides which runs next. Pure."""

from hopsml_flows.trials.best_configurations import Past, Seeds, chosen
from hopsml_flows.trials.generations import Generation
from hopsml_flows.trials.group.gang import (
    Framework,
    Gang,
    GroupShape,
    Member,
    Order,
    Phase,
    ProcessEnd,
    Role,
    Verdict,
)
from hopsml_flows.trials.group.placement import Seat, WorkerFacts, placed
from hopsml_flows.trials.group.variables import ports_needed, variables
from hopsml_flows.trials.loop import Counts, TrialLoop
from hopsml_flows.trials.loop_messages import (
    CloseGeneration,
    GiveUpTrial,
    KeepResult,
    LoopEvent,
    LoopInstruction,
    RetryTrial,
    SlotsFree,
    SubmitTrial,
    TrialDone,
    TrialLost,
    TrialReplayed,
    TrialReturned,
    TrialStopped,
)
from hopsml_flows.trials.model import ISOLATIONS, Failure, State, Trial, TrialResult
from hopsml_flows.trials.naming import (
    experiment_id,
    generation_name,
    generation_of,
    number_of,
    slug,
    stamp_of,
    trial_name,
)
from hopsml_flows.trials.outage import Outage
from hopsml_flows.trials.outputs import DEFAULT_KEY, LOG, checked_outputs, json_value, output_tag
from hopsml_flows.trials.pace import trials_ahead
from hopsml_flows.trials.rate import Rate
from hopsml_flows.trials.reports import Report, Reports, as_number
from hopsml_flows.trials.result import ExperimentResult, RunResult, SearchResult
from hopsml_flows.trials.state_machine import Recorder, StateMachine, ignore, replay
from hopsml_flows.trials.trial_files import (
    commit_text,
    committed_result,
    past_trials,
    stored_params,
)
from hopsml_flows.trials.usage import DeviceUsage, GpuUsage, MeanPeak

__all__ = [
    "DEFAULT_KEY",
    "ISOLATIONS",
    "LOG",
    "CloseGeneration",
    "Counts",
    "DeviceUsage",
    "ExperimentResult",
    "Failure",
    "Framework",
    "Gang",
    "Generation",
    "GiveUpTrial",
    "GpuUsage",
    "GroupShape",
    "KeepResult",
    "LoopEvent",
    "LoopInstruction",
    "MeanPeak",
    "Member",
    "Order",
    "Outage",
    "Past",
    "Phase",
    "ProcessEnd",
    "Rate",
    "Recorder",
    "Report",
    "Reports",
    "RetryTrial",
    "Role",
    "RunResult",
    "SearchResult",
    "Seat",
    "Seeds",
    "SlotsFree",
    "State",
    "StateMachine",
    "SubmitTrial",
    "Trial",
    "TrialDone",
    "TrialLoop",
    "TrialLost",
    "TrialReplayed",
    "TrialResult",
    "TrialReturned",
    "TrialStopped",
    "Verdict",
    "WorkerFacts",
    "as_number",
    "checked_outputs",
    "chosen",
    "commit_text",
    "committed_result",
    "experiment_id",
    "generation_name",
    "generation_of",
    "ignore",
    "json_value",
    "number_of",
    "output_tag",
    "past_trials",
    "placed",
    "ports_needed",
    "replay",
    "slug",
    "stamp_of",
    "stored_params",
    "trial_name",
    "trials_ahead",
    "variables",
]
