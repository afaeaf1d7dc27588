"""Everything that is kept of a program and its environment, as files and as facts for the record.

Each part is made on its own: one that fails costs that part, and the record says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hopsml_flows.redaction import redacted
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.tracking.versions.conda import conda_text
from hopsml_flows.tracking.versions.environment import environment_text
from hopsml_flows.tracking.versions.git_state import git_state
from hopsml_flows.tracking.versions.installed import installed_packages
from hopsml_flows.tracking.versions.local_modules import Modules, local_modules
from hopsml_flows.tracking.versions.lock_file import lock_text
from hopsml_flows.tracking.versions.machine import Machine, this_machine
from hopsml_flows.tracking.versions.program import Program, find_program
from hopsml_flows.tracking.versions.stored_program import StoredProgram

__all__ = ["Captured", "capture"]

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Captured:
    """What is kept of a program and its environment.

    Args:
        files: Path in the project to content.
        program: Path of the program among them, or None.
        environment: Path of the list of packages, or None.
        facts: For the record: Python, platform, GPUs, git, and what else the files are.
    """

    files: dict[str, bytes | str] = field(default_factory=dict)
    program: str | None = None
    environment: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def capture(
    paths: ExperimentPaths,
    train_file: Path | None,
    read_repeated: Callable[[], StoredProgram | None] = lambda: None,
) -> Captured:
    """Capture the program and the environment of this process.

    Args:
        paths: The experiment's paths.
        train_file: The training function's file, or None.
        read_repeated: Reads the program of the experiment that is repeated, which is kept instead
            of this process's; returns None if none is repeated.
    """
    made = Captured()
    made.facts |= {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
    }
    missing: dict[str, str] = {}

    def attempt(part: str, make: Callable[[], None]) -> None:
        try:
            make()
        except Exception as error:  # of files that change, of hooks of other packages
            missing[part] = redacted(f"{type(error).__name__}: {error}")
            _logger.debug("%s of %s is not kept", part, paths.id, exc_info=True)

    repeated: list[StoredProgram | None] = []
    attempt("program", lambda: repeated.append(read_repeated()))
    if repeated == [None]:
        # The program first: its files may be edited at any time from now on.
        program: list[Program] = []
        attempt("program", lambda: _take_program(made, paths, train_file, program))
        found = program[0] if program else None
        attempt("modules", lambda: _take_modules(made, paths, found, train_file))
        attempt("git", lambda: _take_git(made, paths, found, train_file))
    elif repeated and repeated[0] is not None:
        _take_stored(made, paths, repeated[0])
    attempt("environment", lambda: _take_environment(made, paths))
    if missing:
        made.facts["missing"] = missing
    return made


def _take_stored(made: Captured, paths: ExperimentPaths, stored: StoredProgram) -> None:
    made.files |= stored.files(paths)
    made.program = None if stored.content is None else paths.program(stored.suffix)
    made.facts |= stored.facts_of(paths)


def _take_program(
    made: Captured, paths: ExperimentPaths, train_file: Path | None, program: list[Program]
) -> None:
    found = find_program(train_file)
    if found is not None:
        program.append(found)
        made.program = paths.program(found.suffix)
        made.files[made.program] = found.content
        if found.is_script and found.file is not None:
            made.facts["script"] = found.file.name


def _take_modules(
    made: Captured, paths: ExperimentPaths, program: Program | None, train_file: Path | None
) -> None:
    """Keep the program's modules; a script that has none is kept already."""
    is_script = program is not None and program.is_script
    script = program.file if program is not None and is_script else None
    # A function that a notebook or a prompt defines has a file that exists for a moment.
    train = train_file if train_file is not None and train_file.suffix == ".py" else None
    if train is not None and program is not None and program.suffix == ".ipynb":
        train = None if _is_typed(train) else train
    modules = local_modules(script, train)
    alone = {program.file.name} if program is not None and program.file is not None else set()
    if not modules.files.keys() - alone and not modules.left_out:
        return
    content = modules.archive()
    made.files[paths.modules] = content
    made.facts["modules"] = _facts_of(modules, paths, content, script)


def _facts_of(
    modules: Modules, paths: ExperimentPaths, content: bytes, script: Path | None
) -> dict[str, Any]:
    is_there = script is not None and script in modules.files.values()
    names = {path: name for name, path in modules.files.items()}
    return {
        "file": paths.modules,
        "files": len(modules.files),
        "sha256": hashlib.sha256(content).hexdigest(),
        "script": names[script] if is_there and script is not None else None,
        "left_out": list(modules.left_out),
        "cut": modules.is_cut,
    }


def _is_typed(file: Path) -> bool:
    """Whether a file is one that a kernel makes of a cell."""
    return any(part.startswith("ipykernel_") for part in file.parts)


def _take_git(
    made: Captured, paths: ExperimentPaths, program: Program | None, train_file: Path | None
) -> None:
    file = program.file if program is not None and program.file is not None else train_file
    state = git_state(Path.cwd() if file is None else file.absolute().parent)
    if state is None:
        return
    facts = state.as_json()
    if state.difference:
        made.files[paths.difference] = state.difference
        facts["difference"] = paths.difference
    made.facts["git"] = facts


def _take_environment(made: Captured, paths: ExperimentPaths) -> None:
    environment = _environment()
    made.environment = paths.environment
    made.files[paths.environment] = environment.text
    made.files[paths.lock] = environment.lock
    made.facts["lock"] = paths.lock
    if environment.conda is not None:
        made.files[paths.conda] = environment.conda
        made.facts["conda"] = paths.conda
    made.facts |= environment.machine.as_table()


@dataclass(frozen=True, slots=True)
class _Environment:
    text: str
    lock: str
    conda: str | None
    machine: Machine


_known: dict[tuple[Any, ...], _Environment] = {}
_making = threading.Lock()


def _environment() -> _Environment:
    """The environment's descriptions; made again if a package was installed or removed."""
    with _making:
        key = tuple((path, _metadata_in(path)) for path in sys.path)
        if key not in _known:
            packages, machine = installed_packages(), this_machine()
            made = _Environment(
                environment_text(packages, machine.lines),
                lock_text(packages, machine.as_table()),
                conda_text(packages),
                machine,
            )
            _known.clear()
            _known[key] = made
        return _known[key]


def _metadata_in(path: str) -> tuple[str, ...]:
    """Names of the packages, with their versions, that are installed in a directory."""
    with contextlib.suppress(OSError):
        names = os.listdir(path or os.curdir)
        return tuple(sorted(name for name in names if name.endswith((".dist-info", ".egg-info"))))
    return ()
