"""Experiments that no flow has run: what is on storage is written by the test."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from hopsml_flows.ablation import Effect, Judged, Verdict
from hopsml_flows.ablation.findings import Costs, Findings
from hopsml_flows.search import Direction
from hopsml_flows.storage import ExperimentPaths, this_process
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.summary import combination
from hopsml_flows.trials import State, TrialResult, name_of, stamp_of, trial_name

ID = "digits-20240301-120000-aaaaaa"

CONFIRMATION = {
    "metric": "accuracy", "direction": "MAX", "seeds": [11, 12], "trial": 1, "optimistic": 0.98,
    "winner": {
        "parameters": {"x": "<b>"}, "metrics": [0.5, 0.75], "trials": [1000001, 1000002],
        "mean": 0.625, "interval": [0.25, 1.0],
    },
    "defaults": {
        "parameters": {"x": 1}, "metrics": [0.25, None], "trials": [1000101, 1000102],
        "mean": None, "interval": None, "probability": None,
    },
    "without_defaults": None,
    "champion": {
        "parameters": {"x": 2}, "metrics": [0.5, 0.5], "trials": [1000201, 1000202], "version": 4,
        "mean": 0.5, "interval": [0.5, 0.5], "probability": 0.81, "difference": 0.125,
        "difference_interval": [-1.0, 1.25], "pairs": 2,
    },
}  # fmt: skip
PROMOTION = {"model": "digits-net", "promoted": False, "why": "it may be <i>luck</i>"}


FINDINGS = Findings(
    {"base": {1: 0.9, 2: 0.8}, "feature age": {1: 0.5, 2: 0.45}},
    {},
    (
        Judged(
            Effect(
                arm="feature age", repeats=2, mean=0.375, deviation=0.035, low=0.0625, high=0.6875,
                p=0.0424, p_holm=0.0424, p_sign_flip=0.5, p_sign_flip_holm=0.5, compared=1,
                parameters=1234, seconds=1.5,
            ),
            Verdict.MATTERS,
            "matters at 2 repeats: without it the metric is 0.375 worse",
        ),
    ),
    (),
    Direction.MAX,
    "accuracy",
    base=Costs(1300, 2.5),
)  # fmt: skip


class WrittenExperiment:
    """An experiment's directory, written as its driver and its workers would."""

    def __init__(self, project, trials=None):
        self.project = project
        self.paths = ExperimentPaths(ID)
        self.record = ExperimentRecord(
            id=ID, name="digits", project="project", function="grid_search", train="module:f",
            experiment_type="PARALLEL_EXPERIMENTS", trials_total=trials, driver=this_process(),
        )  # fmt: skip
        project.make_directory(self.paths.root)
        self.write()

    def write(self, **changes):
        self.record = replace(self.record, **changes)
        self.project.replace(self.paths.record, self.record.to_json())

    def log(self, directory, text, name="output.log"):
        self.project.make_directory(self.paths.trial(directory))
        self.project.append(self.paths.trial(directory, name), text)

    def end(self, directory, *, done=True):
        name = ".outputs.json" if done else "events.out.tfevents.9.hparams"
        self.project.replace(self.paths.trial(directory, name), "{}")


def result(number, params, metric=None, *, state=State.FINISHED, **changes):
    """A trial that ran for ten seconds; its outputs are its metric."""
    name = trial_name(number, params)
    outputs = {} if metric is None else {"accuracy": metric}
    told = {"outputs": outputs, "started": 1000.0 + number, "ended": 1010.0 + number, **changes}
    return TrialResult(number, name, params, state, metric, directory=name, **told)


def summary_text(results):
    """A summary as drivers write it: a line per trial."""
    body = ",\n".join(json.dumps(combination(each)) for each in results)
    return f'{{"combinations": [\n{body}\n]}}\n'


def over(project, experiment_id, results=(), **changes):
    """Write an experiment that is over, whose best trial is the one with the highest metric."""
    paths = ExperimentPaths(experiment_id)
    start = datetime.strptime(f"{stamp_of(experiment_id)}+0000", "%Y%m%d-%H%M%S%z")
    metrics = [each.metric for each in results if each.metric is not None]
    record = ExperimentRecord(
        id=experiment_id, name=name_of(experiment_id), project="project", function="grid_search",
        train="module:f", experiment_type="PARALLEL_EXPERIMENTS", state=State.FINISHED,
        direction="MAX", optimization_key="accuracy", user="ada", duration=12.5,
        start=start.astimezone(UTC).isoformat(timespec="milliseconds"),
        metric=max(metrics, default=None), trials_total=len(results),
        trials_succeeded=sum(each.succeeded for each in results),
        trials_failed=sum(not each.succeeded for each in results),
    )  # fmt: skip
    project.make_directory(paths.root)
    project.replace(paths.record, replace(record, **changes).to_json())
    if results:
        project.replace(paths.summary, summary_text(results))
    return paths
