"""The page of one trial, its log, and files of experiments."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hopsml_flows.errors import DamagedFileError, NotFoundError
from hopsml_flows.service.experiment_finder import TrialDirectory, find_trial
from hopsml_flows.service.index import ExperimentEntry, ExperimentState
from hopsml_flows.service.logs.process_names import process_name
from hopsml_flows.service.web.file_response import file_response
from hopsml_flows.service.web.handlers.experiment import head, journal_entries
from hopsml_flows.service.web.handlers.trial_directory import has_directory
from hopsml_flows.service.web.handlers.trial_log import (
    LOG_PART,
    attempts_logged,
    below,
    log_end,
    log_names,
    log_text,
)
from hopsml_flows.service.web.project_files import (
    checked_path,
    file_info,
    file_part,
    files_below,
)
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.attempts import losses_told, shown_attempts
from hopsml_flows.service.web.views.learning_curves import trial_curve
from hopsml_flows.service.web.views.trial import IMAGE_TYPES, call_text, trial_view
from hopsml_flows.service.web.views.words import clock_time, size, took
from hopsml_flows.storage import ExperimentPaths, TrialFiles
from hopsml_flows.trials import State, Trial, TrialResult
from hopsml_flows.trials.trial_files import committed_result, stored_params

__all__ = ["curve", "file", "log", "trial"]

_MOST_FILES = 200
_MOST_ATTEMPTS = 100
_LONGEST_NUMBER = 18

_REFRESH = "3"
"""Seconds after which a browser asks again for a trial that has not begun."""

_SMALL = 1 << 24
"""Most bytes of a trial's JSON that are read."""


def trial(site: Site, request: Request) -> Response:
    """Return the page of a trial.

    Args:
        site: The site.
        request: The request.

    Raises:
        HTTPException: There is no such trial.
    """
    entry = site.experiment(request)
    result = _result(site, entry, request)
    root = ExperimentPaths(entry.id).root
    directory = ExperimentPaths(entry.id).trial(result.directory)
    has = has_directory(entry, result)
    files = files_below(site.project, directory, _MOST_FILES) if has else []
    train = entry.record.train if entry.record else ""
    call = call_text(train, result.params)
    view = trial_view(result, root, files, _facts(result), call)
    logs = log_names(site, entry, result)
    chosen = request.query_params.get("process", "")
    name = next((each for each in logs if process_name(each) == chosen), logs[0] if logs else "")
    shown = log_end(site, entry, result, name)
    attempts, traceback = attempts_logged(site, entry, result, logs)
    losses = losses_told(journal_entries(site, entry), result.number) if len(attempts) > 1 else ()
    return site.page(
        request,
        "trial.html",
        head=head(site, entry),
        entry=entry,
        tab="trials",
        models=site.models.look(whole=False).of(entry.id, result.number),
        repeats=None,
        view=view,
        processes=[process_name(each) for each in logs],
        process=process_name(name) if name else "",
        asked=chosen,
        log=shown.text,
        log_begin=shown.begin,
        log_end=shown.end,
        attempts=shown_attempts(result, attempts, losses)[-_MOST_ATTEMPTS:],
        traceback=traceback,
        running=result.state is State.RUNNING,
    )


def curve(site: Site, request: Request) -> Response:
    """Return the learning curve of a trial, which may run.

    Args:
        site: The site.
        request: The request.

    Raises:
        HTTPException: There is no such trial.
    """
    entry = site.experiment(request)
    number = _result(site, entry, request).number
    key = entry.record.optimization_key if entry.record else None
    return JSONResponse(trial_curve(key, number, journal_entries(site, entry)))


def log(site: Site, request: Request) -> Response:
    """Return what a trial's log has from a position on.

    Args:
        site: The site.
        request: The request.

    Raises:
        HTTPException: There is no such trial.
    """
    entry = site.experiment(request)
    result = _result(site, entry, request)
    logs = log_names(site, entry, result)
    chosen = request.query_params.get("process", "")
    # The trial's own log, or that of the process which leads, where the page names none.
    default = logs[0] if logs and not chosen else ""
    name = next((each for each in logs if process_name(each) == chosen), default)
    process = process_name(name) if name else chosen
    start = site.parameters(request).number("from", 0, most=1 << 60)
    over = result.state is not State.RUNNING
    nothing = {"text": "", "next": start, "again": False, "over": over, "process": process}
    try:
        path = checked_path(entry.id, below(result.directory, name))
        length = file_info(site.project, path).size
        if length < start:  # it was replaced by a shorter one
            return JSONResponse({**nothing, "next": 0, "again": True})
        stop = min(length, start + LOG_PART)
        content = file_part(site.project, path, start, stop)
    except FileNotFoundError:
        return JSONResponse(nothing)
    if stop < length or not over:  # whole lines, so that no character is cut in two
        content = content[: content.rfind(b"\n") + 1] or (content if stop < length else b"")
    return JSONResponse(
        {
            **nothing,
            "text": log_text(content),
            "next": start + len(content),
            "over": over and stop >= length,
        }
    )


def file(site: Site, request: Request) -> Response:
    """Return a file of an experiment: an image to be shown, anything else to be kept.

    Args:
        site: The site.
        request: The request.

    Raises:
        FileNotFoundError: There is no such file.
        HTTPException: There is no such experiment.
    """
    entry = site.experiment(request)
    path = checked_path(entry.id, request.path_params["file"])
    kind = IMAGE_TYPES.get(posixpath.splitext(path)[1].lower())
    is_kept = "download" in request.query_params
    return file_response(site.project, path, image_type=None if is_kept else kind)


def _result(site: Site, entry: ExperimentEntry, request: Request) -> TrialResult:
    """Return a trial that has ended with all that its own files say, or one that runs."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise HTTPException(404, f"There is no trial {text:.80} of {entry.id}.")
    number = int(text)
    told = site.index.trial(entry.id, number)
    if told is not None:
        committed = _committed(site, entry, told)
        # What only the driver knows is in the summary alone.
        return (
            told
            if committed is None
            else replace(committed, promotions=told.promotions, continues=told.continues)
        )
    paths = ExperimentPaths(entry.id)
    try:
        # Its directory stays: a page that follows its log asks for it every second.
        found = site.begun.get(
            (entry.id, number), entry.id, lambda: find_trial(site.project, paths, str(number))
        )
    except NotFoundError:
        again = {"Refresh": _REFRESH} if _may_begin(entry, number) else None
        words = f"There is no trial {number} of {entry.id} yet."
        raise HTTPException(404, words, again) from None
    return _begun(site, entry, found)


def _may_begin(entry: ExperimentEntry, number: int) -> bool:
    """Whether a running experiment can still reach a trial."""
    total = entry.record.trials_total if entry.record else None
    return entry.state is ExperimentState.RUNNING and (total is None or 0 < number <= total)


def _begun(site: Site, entry: ExperimentEntry, found: TrialDirectory) -> TrialResult:
    """Return a trial that the summary does not know: it runs, or its driver is gone."""
    path = checked_path(entry.id, below(found.directory, TrialFiles.HPARAMS))
    try:
        params = stored_params(path, file_part(site.project, path, 0, _SMALL))
    except (FileNotFoundError, DamagedFileError):
        params = {}
    runs = entry.state in (ExperimentState.RUNNING, ExperimentState.UNKNOWN)
    result = TrialResult(
        number=found.number,
        name=found.name,
        params=params,
        state=State.RUNNING if runs else State.KILLED,
        directory=found.directory,
        generation=found.generation,
    )
    return _committed(site, entry, result) or result


def _committed(site: Site, entry: ExperimentEntry, told: TrialResult) -> TrialResult | None:
    if told.state is State.FAILED or not has_directory(entry, told):
        return None
    path = f"{ExperimentPaths(entry.id).trial(told.directory)}/{TrialFiles.OUTPUTS}"
    asked = Trial(
        number=told.number,
        name=told.name,
        params=told.params,
        directory=told.directory,
        generation=told.generation,
    )
    try:
        content = file_part(site.project, path, 0, _SMALL)
        return committed_result(path, content, asked)
    except (FileNotFoundError, DamagedFileError):
        return None


def _facts(result: TrialResult) -> Sequence[tuple[str, str]]:
    facts = [
        ("Started", clock_time(result.started) if result.started else ""),
        ("Duration", took(result.duration) if result.ended else ""),
        ("Attempt", str(result.attempt) if result.attempt > 1 else ""),
        ("Generation", "" if result.generation is None else str(result.generation)),
        ("Seed", "" if result.seed is None else str(result.seed)),
        ("Budget", "" if result.budget is None else f"{result.budget:g}"),
        ("Continues trial", "" if result.continues is None else str(result.continues)),
        ("Worker", result.worker),
        ("Directory", result.directory),
    ]
    if (usage := result.devices) is not None:
        facts.append(("Processors", f"{usage.cpu.mean:.0f}% of a core, peak {usage.cpu.peak:.0f}%"))
        facts.append(
            ("Memory", f"{size(int(usage.memory.mean))}, peak {size(int(usage.memory.peak))}")
        )
        for gpu in usage.gpus:
            used = "" if gpu.utilization is None else f", {gpu.utilization.mean:.0f}% busy"
            facts.append(("GPU", f"{gpu.name or gpu.uuid}{used}"))
    return [(name, text) for name, text in facts if text]
