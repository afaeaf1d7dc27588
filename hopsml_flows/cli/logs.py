"""``hopsml logs``: prints the logs of an experiment's trials, and follows them while they run.

Lines go to the standard output, what is said about trials to the standard error.
"""

from __future__ import annotations

import re
import select
import sys
import time
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.project_option import opened
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
    experiment: Annotated[str, Parameter(name="ID")],
    trial: Annotated[str | None, Parameter(name="TRIAL")] = None,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    lines: Annotated[int | None, Parameter(name=["--lines", "-n"])] = None,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Print the log of a trial, or of all trials, each line with its trial's number.

    Args:
        experiment: The experiment: its identifier, the beginning of it, or "last".
        trial: The trial: its number, its name, or the beginning of it; with "/worker-0" after it
            one process of a distributed trial.
        follow: Go on with what is added, until the trial or the experiment is over. Of all trials,
            those are shown that are not over.
        lines: Begin with so many lines from the end of each log.
        project: Local path, URL or block:NAME of the project; default as for experiments.
    """
    if lines is not None and lines < 0:
        raise InvalidArgumentError("--lines", lines, "must be an integer of at least 0")
    where = opened(project)
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
    """What says whose lines they are, where there are several: the trial, its process, or both."""
    # An experiment without trial directories has one trial.
    number = f"{lines.trial.number:04d}" if numbered and lines.trial.name else ""
    process = "" if lines.trial.process else lines.process
    return " ".join(filter(None, (number, process)))


def _prefixed(text: bytes, prefix: str) -> bytes:
    """Whole lines, each after a prefix."""
    if not prefix:
        return text
    begin = f"{prefix} | ".encode()
    return begin + text[:-1].replace(b"\n", b"\n" + begin) + b"\n"


def _for_terminal(text: bytes) -> bytes:
    """Lines without what would move the cursor, or do worse; of a redrawn line what it was last."""
    shown = _REDRAWN.sub("", text.decode(errors="backslashreplace")).replace("\r", "")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", shown).encode()


def _wait(seconds: float) -> None:
    """Wait while the output has a reader: ``hopsml logs … -f | head`` ends when head does."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # a stand-in
        time.sleep(seconds)
        return
    reader = select.poll()
    reader.register(output, 0)  # errors alone
    if reader.poll(1000 * seconds):
        raise BrokenPipeError
