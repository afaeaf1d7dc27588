"""``hopsml logs``: prints the logs of an experiment's trials, and follows them while they grow.

Lines go to standard output, sentences about trials to standard error.
"""

from __future__ import annotations

import re
import select
import sys
import time
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service import find_experiment, find_trial, trial_directories
from hopsml_flows.service.logs.follower import (
    Lines,
    Pause,
    follow_trial,
    follow_trials,
    read_logs,
)
from hopsml_flows.text import readable

__all__ = ["logs"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_REDRAWN = re.compile(r"[^\n]*\r(?=[^\r\n])")


def logs(
    experiment: Annotated[str, EXPERIMENT],
    trial: Annotated[str | None, Parameter(name="TRIAL")] = None,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", show_default=False)
    ] = False,
    lines: Annotated[int | None, Parameter(name=["--lines", "-n"])] = None,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Print the log of one trial, or of all trials.

    Args:
        experiment: The experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        trial: The trial: its number, its name, or the beginning of it. Add "/worker-0" for one
            process of a distributed trial. Without TRIAL, all trials are printed, each line after
            its trial's number.
        follow: Print new lines as they come, until the trial or the experiment is over. Without
            TRIAL, skips trials that are already over while the experiment runs.
        lines: Begin with this many lines from the end of each log.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if lines is not None and lines < 0:
        raise InvalidArgumentError("--lines", lines, "must be an integer of at least 0")
    where = open_project(project)
    paths = find_experiment(where, experiment)
    events: Iterable[Lines | str | Pause]
    if follow and trial is not None:
        events = follow_trial(where, paths, trial, lines)
    elif follow:
        events = follow_trials(where, paths, lines)
    elif trial is not None:
        events = read_logs(where, paths, [find_trial(where, paths, trial)], lines)
    else:
        events = read_logs(where, paths, trial_directories(where, paths), lines)
    _show(events, numbered=trial is None)


def _show(events: Iterable[Lines | str | Pause], *, numbered: bool) -> None:
    out = sys.stdout.buffer
    terminal = sys.stdout.isatty()
    for event in events:
        if isinstance(event, Pause):
            out.flush()
            _wait(event.seconds)
        elif isinstance(event, str):
            out.flush()
            print(f"hopsml: {readable(event)}", file=sys.stderr, flush=True)
        else:
            text = _for_terminal(event.text) if terminal else event.text
            out.write(_prefixed(text, _prefix(event, numbered=numbered)))
    out.flush()


def _prefix(lines: Lines, *, numbered: bool) -> str:
    """Return what stands before lines: the trial's number, its process, both, or nothing."""
    # An experiment without trial directories has one trial.
    number = f"{lines.trial.number:04d}" if numbered and lines.trial.name else ""
    process = "" if lines.trial.process else lines.process
    return " ".join(filter(None, (number, process)))


def _prefixed(text: bytes, prefix: str) -> bytes:
    """Return whole lines with a prefix before each."""
    if not prefix:
        return text
    begin = f"{prefix} | ".encode()
    return begin + text[:-1].replace(b"\n", b"\n" + begin) + b"\n"


def _for_terminal(text: bytes) -> bytes:
    """Return lines with control characters escaped, and of a redrawn line its last state."""
    shown = _REDRAWN.sub("", text.decode(errors="backslashreplace")).replace("\r", "")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", shown).encode()


def _wait(seconds: float) -> None:
    """Wait, unless the output loses its reader: ``hopsml logs … -f | head`` ends with head.

    Raises:
        BrokenPipeError: The reader of the output has gone.
    """
    try:
        output = sys.stdout.fileno()
    except OSError:  # an output without a descriptor, as in tests
        time.sleep(seconds)
        return
    reader = select.poll()
    reader.register(output, 0)  # reports errors only
    if reader.poll(1000 * seconds):
        raise BrokenPipeError
