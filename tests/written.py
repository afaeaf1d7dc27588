"""Experiments that no flow has run: what is on storage is written by the test."""

from __future__ import annotations

from dataclasses import replace

from hopsml_flows.storage import ExperimentPaths, this_process
from hopsml_flows.tracking import ExperimentRecord

ID = "digits-20240301-120000-aaaaaa"


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
