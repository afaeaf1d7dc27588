"""What a user waits for before there are many trials: imports, first experiments, ten at once.

``python benchmarks/start.py`` measures this project and its peers; ``--started N`` starts N
experiments at once, here, and prints one line of JSON. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment

OWN = "waits-embedded"
"""The contender of ``overhead.py`` that is this project with an embedded server."""

IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Starter:
    """One of those whose first experiments are compared.

    Args:
        label: Its name in tables.
        contender: Which contender of ``overhead.py`` runs the trials.
        home: Its Prefect home: "made" has its database already, "new" does not exist; empty where
            it has none.
        embedded: Whether its server is this project's embedded one.
    """

    label: str
    contender: str
    home: str = ""
    embedded: bool = False


STARTERS = {
    "project": Starter("this project", OWN, home="made", embedded=True),
    "project-new-home": Starter("this project, a new Prefect home", OWN, home="new", embedded=True),
    "prefect-dask": Starter(
        "prefect-dask, Prefect's temporary server", "prefect-dask", home="made"
    ),
    "dask": Starter("bare Dask", "dask"),
    "ray-tune-reuse": Starter("Ray Tune, reuse_actors", "ray-tune-reuse"),
    "optuna-sqlite": Starter("Optuna, SQLite", "optuna-sqlite"),
}

COLUMNS = {
    "before_call_s": "start of the process to the call, s",
    "first_s": "first experiment, s",
    "second_s": "second, s",
    "other_s": "in another process, s",
    "server_has_all_s": "first, until the server has all, s",
    "idle_percent": "idle server, % of a core",
}

_PYTHON = (sys.executable, "-c")

COMMANDS: dict[str, tuple[str, ...]] = {
    "`python -c pass`": (*_PYTHON, "pass"),
    "`import hopsml_flows.experiment`": (*_PYTHON, "import hopsml_flows.experiment"),
    "`hopsml --help`": (str(environment.VENV / "bin" / "hopsml"), "--help"),
    "`import prefect`": (*_PYTHON, "import prefect"),
    "`prefect --help`": (str(environment.VENV / "bin" / "prefect"), "--help"),
    "`import distributed`": (*_PYTHON, "import distributed"),
    "`import optuna`": (*_PYTHON, "import optuna"),
    "`import ray.tune`": (*_PYTHON, "import ray.tune"),
    "`import ray; ray.init(); ray.shutdown()`": (
        *_PYTHON,
        "import ray; ray.init(num_cpus=2, include_dashboard=False); ray.shutdown()",
    ),
}

_HEAD = """\
Medians of {repeats} runs in turns, each in a process of its own. README.md says what each column
means.
"""


def main() -> int:
    environment.enter()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=STARTERS, default=list(STARTERS))
    parser.add_argument("--at-once", type=int, default=10, metavar="N", help="0 leaves it out")
    parser.add_argument("--no-commands", action="store_true", help="time no imports and commands")
    parser.add_argument("--results", type=Path, default=environment.RESULTS)
    parser.add_argument("--timeout", type=float, default=900, help="seconds that a run may take")
    parser.add_argument("--started", type=int, metavar="N", help="start N experiments, here")
    arguments = parser.parse_args()
    if arguments.started:
        print(json.dumps(_start_at_once(arguments.started)))
        return 0
    return _all(arguments)


def _all(arguments: argparse.Namespace) -> int:
    from process_tree import stop_when_told
    from report import surroundings

    stop_when_told()
    turns = range(arguments.repeats)
    commands: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-prefect-") as directory:
        about = surroundings(Path(directory))
        if not arguments.no_commands:
            commands = [_timed(name) for _ in turns for name in COMMANDS]
        with _homes(Path(directory), arguments.timeout) as home:
            firsts = [
                _first(name, home, arguments.timeout) for _ in turns for name in arguments.only
            ]
            at_once = [
                _at_once(arguments.at_once, kind, home, arguments.timeout)
                for kind in ("made", "new")
                if arguments.at_once
            ]
    _write(arguments, about, commands, firsts, at_once)
    return 1 if any("error" in run for run in [*firsts, *at_once]) else 0


@contextlib.contextmanager
def _homes(directory: Path, timeout: float) -> Iterator[Callable[[str], Any]]:
    """Prefect homes by kind; the made one is made when it is first asked for."""
    from embedded_server import EmbeddedServer
    from user_waits import prepare_home

    made: list[EmbeddedServer] = []
    with contextlib.ExitStack() as stack:

        def home(kind: str) -> EmbeddedServer:
            if kind == "made" and made:
                return made[0]
            found = EmbeddedServer(Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=directory)))
            stack.callback(found.stop)
            if kind == "made":
                prepare_home(found, OWN, timeout)
                made.append(found)
            return found

        yield home


def _timed(name: str) -> dict[str, Any]:
    """Run a command; its processor time has that of children that it waited for."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(
        COMMANDS[name],
        env=environment.clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    _tell(name, f"{seconds:.2f} s")
    return {"command": name, "seconds": seconds, "cpu_seconds": cpu}


def _first(name: str, home: Callable[[str], Any], timeout: float) -> dict[str, Any]:
    """Two experiments in a process, then one in another; a failure is a result too."""
    from process_tree import RunError
    from user_waits import FEW, run

    starter, env = STARTERS[name], {}
    found: dict[str, Any] = {"starter": name}
    server = home(starter.home) if starter.home else None
    if server:
        # Prefect's own limit for its temporary server is 20 s, too short for a loaded machine.
        env = {**server.env, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    try:
        process = run(starter.contender, (FEW, FEW), env, timeout)
        other = run(starter.contender, [FEW], env, timeout)
        if starter.embedded:
            found["idle_percent"] = _idle_percent(server)
    except RunError as error:
        found["error"] = str(error)
    else:
        first, second = process["calls"]
        found |= {
            "before_call_s": process["before_call_s"],
            "first_s": first["returned_s"],
            "second_s": second["returned_s"],
            "other_s": other["calls"][0]["returned_s"],
            "server_has_all_s": first["server_has_all_s"],
            "processes": [process, other],
        }
    finally:
        if server:
            server.stop()
    _tell(name, found.get("error") or f"{found['first_s']:.2f} s")
    return found


def _idle_percent(server: Any) -> float | None:
    """Share of a core that an embedded server uses with nothing to do; None if none runs."""
    server.find()
    server.wait_idle()
    return server.percent(IDLE_SECONDS) if server.running() else None


def _at_once(count: int, kind: str, home: Callable[[str], Any], timeout: float) -> dict[str, Any]:
    """Start experiments at once on a home without a server."""
    import process_tree
    from embedded_server import PROGRAM

    server = home(kind)
    found: dict[str, Any] = {"started": count, "home": kind}
    env = {**environment.clean_environment(), **server.env}
    command = [sys.executable, __file__, "--started", str(count)]
    try:
        finished = process_tree.run(command, env, timeout=timeout, apart=PROGRAM)
        found.update(json.loads(finished.output.splitlines()[-1]))
    except process_tree.RunError as error:
        found["error"] = str(error)
    finally:
        server.stop()
    _tell(f"{count} at once", found.get("error") or f"{found['ended_well']} ended well")
    return found


def _start_at_once(count: int) -> dict[str, Any]:
    """Start experiments in processes of their own, and wait for all."""
    from user_waits import FEW

    command = [sys.executable, str(environment.HERE / "overhead.py"), "--contender", OWN]
    command += ["--calls", str(FEW)]
    began = time.time()
    with contextlib.ExitStack() as stack:
        files = [
            [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)]
            for _ in range(count)
        ]
        started = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
            for output, errors in files
        ]
        processes = [
            _outcome(process.wait(), *both) for process, both in zip(started, files, strict=True)
        ]
    well = [process for process in processes if process["exit_code"] == 0]
    calls = [process["calls"][0] for process in well]
    return {
        "ended_well": len(well),
        "server_has_all": sum(call["server_has_all_s"] is not None for call in calls),
        "last_returned_s": max((call["returned_at"] for call in calls), default=began) - began,
        "processes": processes,
    }


def _outcome(exit_code: int, output: Any, errors: Any) -> dict[str, Any]:
    output.seek(0)
    errors.seek(0)
    if exit_code:
        return {"exit_code": exit_code, "error": errors.read()[-3000:].strip()}
    return {"exit_code": 0, **json.loads(output.read().splitlines()[-1])}


def _tell(name: str, said: str) -> None:
    print(f"{name}: {said}", file=sys.stderr, flush=True)


def _write(
    arguments: argparse.Namespace,
    about: Mapping[str, Any],
    commands: Sequence[Mapping[str, Any]],
    firsts: Sequence[Mapping[str, Any]],
    at_once: Sequence[Mapping[str, Any]],
) -> None:
    from report import save, surroundings_text
    from user_waits import FEW

    parts = [
        "# What a user waits for at the start\n",
        surroundings_text(about),
        _HEAD.format(repeats=arguments.repeats),
    ]
    if commands:
        parts += ["## Imports and commands\n", _commands_table(commands)]
    if firsts:
        parts += [f"## Experiments of {FEW} no-op trials\n", _firsts_table(firsts)]
    if at_once:
        parts += ["## Experiments started at once on one Prefect home\n", _at_once_table(at_once)]
    markdown = "\n".join([*parts, *_notes(firsts, at_once)])
    data = {"about": about, "commands": commands, "firsts": firsts, "at_once": at_once}
    save(arguments.results, "start", markdown, data)
    print(markdown)


def _commands_table(runs: Sequence[Mapping[str, Any]]) -> str:
    from report import number, table

    rows = []
    for name in COMMANDS:
        mine = [run for run in runs if run["command"] == name]
        figures = [_median(mine, figure) for figure in ("seconds", "cpu_seconds")]
        rows.append([name, *map(number, figures)])
    return table(["", "start to end, s", "processor time, s"], rows)


def _firsts_table(runs: Sequence[Mapping[str, Any]]) -> str:
    from report import number, table

    rows = []
    for name, starter in STARTERS.items():
        mine = [run for run in runs if run["starter"] == name and "error" not in run]
        if mine:
            rows.append([starter.label, *(number(_median(mine, column)) for column in COLUMNS)])
    return table(["", *COLUMNS.values()], rows)


def _at_once_table(runs: Sequence[Mapping[str, Any]]) -> str:
    from report import number, table

    homes = {"made": "with its database", "new": "new"}
    rows = [
        [
            homes[run["home"]],
            *(str(run[figure]) for figure in ("started", "ended_well", "server_has_all")),
            number(run["last_returned_s"]),
        ]
        for run in runs
        if "error" not in run
    ]
    columns = ["Prefect home", "started", "exit code 0", "the server has all", "last return, s"]
    return table(columns, rows)


def _median(runs: Sequence[Mapping[str, Any]], figure: str) -> float | None:
    values = [run[figure] for run in runs if run.get(figure) is not None]
    return statistics.median(values) if values else None


def _notes(
    firsts: Sequence[Mapping[str, Any]], at_once: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    for run in firsts:
        if "error" in run:
            yield f"- a run of {run['starter']} failed: {run['error'].splitlines()[-1]}"
    for run in at_once:
        for failed in [run, *run.get("processes", ())]:
            if "error" in failed:
                reason = failed["error"].splitlines()[-1] if failed["error"] else "no message"
                yield f"- of {run['started']} at once, one failed: {reason}"


if __name__ == "__main__":
    sys.exit(main())
