"""A running trial without a function: what its helpers find, in the test's own process."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

from hopsml_flows.execution import Reporter, Scalars, TrialContext, running_trial
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.execution.report_link import ReportLink
from hopsml_flows.storage import TrialFiles
from hopsml_flows.trials import Trial


@contextmanager
def context_of(project, logdir, *, number=1, key=None):
    """The surroundings of a trial whose files are in a directory."""
    logdir.mkdir(parents=True, exist_ok=True)
    log, scalars = OutputLog(logdir / TrialFiles.LOG), Scalars(logdir / TrialFiles.SCALARS)
    reporter = Reporter(scalars, log, key, ReportLink(number, 1, None, None))
    trial = Trial(number, f"{number:04d}", {}, directory=f"{number:04d}")
    try:
        yield TrialContext(project, "e-1", trial, logdir, reporter, partial(_made, logdir))
    finally:
        scalars.close()
        log.close()


@contextmanager
def trial_on(project, directory, monkeypatch):
    """A trial that runs on a project, in an empty working directory and with an empty cache.

    Yields its surroundings.
    """
    work = directory / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOPSML_CACHE", str(directory / "cache"))
    with context_of(project, directory / "logdir") as context, running_trial(context):
        yield context


def _made(logdir):
    directory = logdir / TrialFiles.CHECKPOINTS
    directory.mkdir(exist_ok=True)
    return directory
