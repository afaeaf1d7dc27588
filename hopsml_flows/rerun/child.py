"""The process that runs trials again: ``python -P -m hopsml_flows.rerun.child DIRECTORY``.

The directory is the caller's, for this run alone. It has the pickled request, which is removed at
once, and gets the pickled answer. When standard input ends, the caller is gone, and this process
ends like at a SIGTERM.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hopsml_flows.errors import ExperimentFailedError, HopsmlError
from hopsml_flows.execution.payload import sent_along
from hopsml_flows.redaction import redacted
from hopsml_flows.rerun.request import Request
from hopsml_flows.rerun.saved_environment import OWN
from hopsml_flows.rerun.unpacked_program import look_first_in, saved_function, unpack
from hopsml_flows.service.comparison import ComparisonRow, compared, environment_facts
from hopsml_flows.text import fitting, plural, say

__all__ = ["ANSWER", "PROGRAM", "REQUEST", "Answer", "environment_difference", "main"]

REQUEST = "request"
ANSWER = "answer"
PROGRAM = "program"
"""Names in the directory."""

_MOST_TOLD = 8
"""Most packages that are named before the trials begin."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    Args:
        id: Identifier of the new experiment; None if it did not begin.
        environment: How the environment differs: the saved one's facts, then those of now.
        error: What was raised, or None.
    """

    id: str | None = None
    environment: tuple[ComparisonRow, ...] = ()
    error: BaseException | None = None


def main(directory: Path) -> int:
    """Run what is asked for.

    Args:
        directory: The directory of this run.

    Returns:
        The exit status.
    """
    caller = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)  # no training function waits for input that never comes
    threading.Thread(target=_end_with_caller, args=(caller,), daemon=True).start()
    content = (directory / REQUEST).read_bytes()
    (directory / REQUEST).unlink()  # it has credentials, and a caller that is killed leaves it
    request: Request = pickle.loads(content)
    answer = Answer()
    try:
        answer = replace(answer, environment=environment_difference(request))
        if request.arguments.get("progress", True):
            _tell(request, answer.environment)
        program = directory / PROGRAM
        program.mkdir()
        unpack(request.program, program)
        look_first_in(program, (str(Path.cwd()), *request.import_path))
        sys.argv = [str(program / (request.program.script or "program.py"))]
        with sent_along(program):
            function = saved_function(request.train, request.program, program)
            answer = replace(answer, id=_run(function, request))
    except HopsmlError as error:
        answer = replace(answer, error=error)
    (directory / ANSWER).write_bytes(_pickled(answer))
    return 0 if answer.error is None else 1


def environment_difference(request: Request) -> tuple[ComparisonRow, ...]:
    """Return in what the environment of this process differs from the saved one.

    Args:
        request: What is run again.

    Returns:
        The facts that differ, each with the saved value and that of now; none if no environment
        is saved.
    """
    from hopsml_flows.tracking.versions.environment import environment_text
    from hopsml_flows.tracking.versions.machine import this_machine

    if request.environment is None:
        return ()
    now = environment_text(machine=this_machine().lines)
    facts = [environment_facts(text) for text in (request.environment, now)]
    # In an environment that was built for it, this package is not installed: it is lent.
    if OWN in facts[0]:
        facts[1][OWN] = sys.modules["hopsml_flows"].__version__
    return compared([request.experiment, "now"], facts).differences


def _run(function: Any, request: Request) -> str:
    from hopsml_flows.flows.rerun import rerun

    try:
        return rerun(train=function, **request.arguments).id
    except ExperimentFailedError as error:
        if error.result is None:
            raise
        return str(error.result.id)  # the comparison says that all trials failed


def _tell(request: Request, environment: tuple[ComparisonRow, ...]) -> None:
    if request.environment is None:
        say(f"{request.experiment} keeps no list of packages to compare with")
        return
    if not environment:
        say(f"The environment is that of {request.experiment}")
        return
    count = plural(len(environment), "difference")
    say(f"{count} from the environment of {request.experiment}:")
    for row in environment[:_MOST_TOLD]:
        then, now = (value or "not there" for value in row.values)
        say(fitting(f"  {row.name}: {then} → {now}"))
    if len(environment) > _MOST_TOLD:
        say(f"  and {len(environment) - _MOST_TOLD} more")


def _pickled(answer: Answer) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception:  # an error may carry anything
        told = HopsmlError(redacted(f"{type(answer.error).__name__}: {answer.error}"))
        return pickle.dumps(replace(answer, error=told))


def _end_with_caller(caller: int) -> None:
    while os.read(caller, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from hopsml_flows.rerun import child  # its classes are pickled under this name

    sys.exit(child.main(Path(sys.argv[1])))
