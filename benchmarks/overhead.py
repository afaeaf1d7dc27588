"""What a no-op trial costs, and what a user waits for: this project and its peers.

``python benchmarks/overhead.py`` measures all of them, each run in a process of its own, in turns;
``--contender NAME`` is such a run, and prints one line of JSON. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those compared.

    Args:
        label: Its name in tables.
        function: ``module:function`` under ``contenders``.
        trials: How many trials by default.
        prefect: Whether it talks to a Prefect server.
        workers: Whether its trials run in other processes than its own.
        own: Whether it is this project's.
        waits: Whether what a user waits for is measured, not what a trial costs.
        embedded: Whether its Prefect server is an embedded one.
    """

    label: str
    function: str
    trials: int
    prefect: bool = False
    workers: bool = True
    own: bool = False
    waits: bool = False
    embedded: bool = False


CONTENDERS = {
    "project": Contender("this project, whole", "project:whole", 1000, prefect=True, own=True),
    "project-process": Contender(
        "this project, a process per trial", "project:fresh", 100, prefect=True, own=True
    ),
    "runner": Contender(
        "this project's runner alone", "project:runner_alone", 1000, prefect=True, own=True
    ),
    "prefect-dask": Contender("prefect-dask", "stock_prefect:run", 100, prefect=True),
    "dask": Contender("bare Dask", "bare_dask:run", 1000),
    "ray-tune": Contender("Ray Tune", "ray_tune:new_actors", 20),
    "ray-tune-reuse": Contender("Ray Tune, reuse_actors", "ray_tune:reused_actors", 20),
    "optuna-sqlite": Contender("Optuna, SQLite", "optuna_storage:sqlite", 300, workers=False),
    "optuna-journal": Contender(
        "Optuna, journal file", "optuna_storage:journal", 1000, workers=False
    ),
    "waits-embedded": Contender(
        "this project, embedded server",
        "project:whole",
        1000,
        prefect=True,
        waits=True,
        embedded=True,
    ),
    "waits-server": Contender(
        "this project, a server of one's own", "project:whole", 1000, prefect=True, waits=True
    ),
    "waits-prefect-dask": Contender(
        "prefect-dask, a server of one's own", "stock_prefect:run", 100, prefect=True, waits=True
    ),
}

RATIOS = (
    ("runner", "dask"),
    ("project", "dask"),
    ("prefect-dask", "project"),
    ("ray-tune", "project-process"),
    ("ray-tune-reuse", "project"),
)

WAIT_RATIOS = (
    ("waits-prefect-dask", "waits-server"),
    ("waits-prefect-dask", "waits-embedded"),
)

COLUMNS = {
    "ms_per_trial": "ms per trial",
    "submit_ms_per_trial": "submit, ms",
    "driver_cpu_ms_per_trial": "driver CPU, ms",
    "worker_cpu_ms_per_trial": "worker CPU, ms",
    "server_cpu_ms_per_trial": "server CPU, ms",
    "peak_mb": "peak memory, MB",
    "cold_start_s": "cold start, s",
    "whole_s": "start to end, s",
}

_HEAD = """\
Medians of {repeats} runs in turns; 2 workers, Optuna in one process. The Prefect server ({server})
shares the machine; its processor time and memory are not in the other columns. README.md says what
each column means.
"""

_WAITS_HEAD = """\
## What a user waits for

Seconds from the call to its return with {few} trials; milliseconds per trial over the second
experiment with {few} trials.
"""


def main() -> int:
    environment.enter()
    arguments = _arguments()
    if arguments.contender:
        print(json.dumps(_one(arguments.contender, arguments.trials, arguments.calls)))
        return 0
    return _all(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contender", choices=CONTENDERS, help="run this one, here, and once")
    parser.add_argument(
        "--calls",
        type=int,
        nargs="+",
        metavar="N",
        help="with --contender: call it so many times, with N trials each, and time the calls",
    )
    parser.add_argument(
        "--trials",
        action="append",
        default=[],
        metavar="[NAME=]N",
        help="trials of every contender, or of one; may be given several times",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--server", choices=("niced", "plain"), default="niced")
    parser.add_argument("--results", type=Path, default=environment.RESULTS)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a run may take")
    arguments = parser.parse_args()
    try:
        arguments.trials = _trials(arguments.trials)
    except (KeyError, ValueError):
        parser.error(f"--trials takes N or NAME=N, with NAME among {list(CONTENDERS)}")
    return arguments


def _trials(given: Sequence[str]) -> dict[str, int]:
    trials = {name: contender.trials for name, contender in CONTENDERS.items()}
    for item in given:
        name, _, count = item.rpartition("=")
        if int(count) < 2 or (name and name not in CONTENDERS):
            raise ValueError(item)
        trials.update(dict.fromkeys([name] if name else CONTENDERS, int(count)))
    return trials


def _one(name: str, trials: Mapping[str, int], calls: Sequence[int] | None) -> dict[str, Any]:
    """Run a contender in this process."""
    from user_waits import measure
    from window import Window

    contender = CONTENDERS[name]
    with _output_to_errors(), tempfile.TemporaryDirectory(prefix="bench-") as directory:
        module, _, attribute = contender.function.partition(":")
        function = getattr(importlib.import_module(f"contenders.{module}"), attribute)
        if calls:
            return {"contender": name, **measure(function, calls, Path(directory))}
        window = Window(trials[name])
        function(window, Path(directory))
    return {"contender": name, **window.figures(workers=contender.workers)}


@contextlib.contextmanager
def _output_to_errors() -> Iterator[None]:
    """Keep what contenders print, from whatever process, out of standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _all(arguments: argparse.Namespace) -> int:
    from embedded_server import EmbeddedServer
    from prefect_server import prefect_server
    from process_tree import stop_when_told
    from report import surroundings
    from user_waits import prepare_home

    stop_when_told()
    chosen = [CONTENDERS[name] for name in arguments.only]
    with tempfile.TemporaryDirectory(prefix="bench-prefect-") as home, contextlib.ExitStack() as on:
        about = {**surroundings(Path(home)), "server": arguments.server}
        server = None
        if any(contender.prefect and not contender.embedded for contender in chosen):
            kind = arguments.server
            server = on.enter_context(prefect_server(Path(home, "server"), kind=kind))
        embedded = EmbeddedServer(Path(home, "embedded"))
        on.callback(embedded.stop)
        if any(contender.embedded for contender in chosen):
            prepare_home(embedded, "waits-embedded", arguments.timeout)
        runs = [
            _measured(name, arguments, embedded if CONTENDERS[name].embedded else server, repeat)
            for repeat in range(1, arguments.repeats + 1)
            for name in arguments.only
        ]
    _write(arguments.results, about, runs)
    return 1 if any("error" in run for run in runs) else 0


def _measured(name: str, arguments: argparse.Namespace, server: Any, repeat: int) -> dict[str, Any]:
    """Run a contender in a process of its own; a failure is a result too."""
    import process_tree

    contender = CONTENDERS[name]
    run: dict[str, Any] = {"contender": name, "repeat": repeat, "trials": arguments.trials[name]}
    if contender.prefect:
        run["server_was_idle"] = server.wait_idle()
    try:
        if contender.waits:
            run.update(_waits(run, arguments, server))
        else:
            _cost(run, arguments, server if contender.prefect else None)
    except process_tree.RunError as error:
        run["error"] = str(error)
    _tell(run)
    return run


def _waits(run: Mapping[str, Any], arguments: argparse.Namespace, server: Any) -> dict[str, Any]:
    """Measure what a user waits for; an embedded server is started by the first experiment."""
    import user_waits

    name = run["contender"]
    if not CONTENDERS[name].embedded:
        env = {**server.env, user_waits.SERVER_PROCESS: str(server.process.pid)}
        return user_waits.waits(name, run["trials"], env, arguments.timeout)
    try:
        return user_waits.waits(name, run["trials"], server.env, arguments.timeout)
    finally:
        server.stop()


def _cost(run: dict[str, Any], arguments: argparse.Namespace, server: Any) -> None:
    """Measure what a trial costs; adds to the run what is known, even if the contender fails."""
    import process_tree
    from window import STARTED

    name, trials = run["contender"], run["trials"]
    command = [sys.executable, __file__, "--contender", name, "--trials", str(trials)]
    env = environment.clean_environment()
    if server:
        server_cpu = server.cpu_seconds()
        env.update(server.env)
    try:
        env[STARTED] = repr(time.time())
        finished = process_tree.run(command, env, timeout=arguments.timeout)
        run.update(json.loads(finished.output.splitlines()[-1]))
        run.update(finished.figures(own_peak_mb=run.pop("own_peak_mb")))
    finally:
        if server:
            run["server_caught_up"] = server.wait_idle()
            run["server_cpu_ms_per_trial"] = 1000 * (server.cpu_seconds() - server_cpu) / trials


def _tell(run: Mapping[str, Any]) -> None:
    from report import number

    figure = "server_has_all_ms" if CONTENDERS[run["contender"]].waits else "ms_per_trial"
    said = run["error"] if "error" in run else f"{number(run[figure])} ms per trial"
    print(f"{run['repeat']}. {run['contender']}: {said}", file=sys.stderr, flush=True)


def _write(results: Path, about: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    from report import plot, save
    from user_waits import COLUMNS as WAITS

    costs = _medians(runs, COLUMNS, waits=False)
    waits = _medians(runs, WAITS, waits=True)
    markdown = _markdown(about, runs, costs, waits)
    medians = {**costs, **waits}
    save(results, "overhead", markdown, {"about": about, "medians": medians, "runs": runs})
    if costs:
        bars = [(CONTENDERS[name].label, found["ms_per_trial"]) for name, found in costs.items()]
        own = {contender.label for contender in CONTENDERS.values() if contender.own}
        plot(results / "overhead.png", bars, own)
    print(markdown)


def _medians(
    runs: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, waits: bool
) -> dict[str, dict[str, Any]]:
    """Medians of each contender's runs that succeeded, with the range of the main figure."""
    medians: dict[str, dict[str, Any]] = {}
    main = "returned_ms" if waits else "ms_per_trial"
    for name, contender in CONTENDERS.items():
        good = [run for run in runs if run["contender"] == name and "error" not in run]
        if not good or contender.waits != waits:
            continue
        medians[name] = {"trials": good[0]["trials"], "runs": len(good)}
        for column in columns:
            values = [run[column] for run in good if run.get(column) is not None]
            medians[name][column] = statistics.median(values) if values else None
        figures = [run[main] for run in good if run[main] is not None]
        medians[name]["range"] = [min(figures), max(figures)] if figures else None
    return medians


def _markdown(
    about: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    costs: Mapping[str, Mapping[str, Any]],
    waits: Mapping[str, Mapping[str, Any]],
) -> str:
    from report import surroundings_text
    from user_waits import FEW

    repeats = max(run["repeat"] for run in runs)
    parts = [
        "# What a no-op trial costs\n",
        surroundings_text(about),
        _HEAD.format(repeats=repeats, server=about["server"]),
    ]
    if costs:
        parts += [_table(costs), *_ratios(costs, RATIOS, "ms_per_trial"), ""]
    if waits:
        ratios = _ratios(waits, WAIT_RATIOS, "server_has_all_ms", ", until the server has all")
        parts += [_WAITS_HEAD.format(few=FEW), _waits_table(waits), *ratios, ""]
    return "\n".join([*parts, *_notes(runs)])


def _table(medians: Mapping[str, Mapping[str, Any]]) -> str:
    from report import number, table

    dask = medians.get("dask", {}).get("ms_per_trial")
    rows = []
    for name, found in medians.items():
        ratio = found["ms_per_trial"] / dask if dask else None
        low, high = map(number, found["range"])
        figures = [number(found[column]) for column in COLUMNS]
        figures.insert(1, f"{low} to {high}")
        rows.append([CONTENDERS[name].label, str(found["trials"]), *figures, number(ratio)])
    headings = list(COLUMNS.values())
    headings.insert(1, "range")
    return table(["", "trials", *headings, "÷ bare Dask"], rows)


def _waits_table(medians: Mapping[str, Mapping[str, Any]]) -> str:
    from report import number, table
    from user_waits import COLUMNS as WAITS

    rows = [
        [CONTENDERS[name].label, str(found["trials"]), *(number(found[column]) for column in WAITS)]
        for name, found in medians.items()
    ]
    return table(["", "trials", *WAITS.values()], rows)


def _ratios(
    medians: Mapping[str, Mapping[str, Any]],
    pairs: Sequence[tuple[str, str]],
    figure: str,
    what: str = "",
) -> Iterator[str]:
    from report import number

    for upper, lower in pairs:
        above, below = (medians.get(name, {}).get(figure) for name in (upper, lower))
        if above and below:
            yield (
                f"- {CONTENDERS[upper].label} ÷ {CONTENDERS[lower].label}{what}: "
                f"{number(above / below)}"
            )


def _notes(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for run in runs:
        which = f"- run {run['repeat']} of {CONTENDERS[run['contender']].label}"
        if "error" in run:
            yield f"{which} failed: {run['error'].splitlines()[-1]}"
        elif not run.get("server_was_idle", True):
            yield f"{which} began while the Prefect server was still busy"
        elif not run.get("server_caught_up", True):
            yield f"{which} left the Prefect server more than it dealt with in two minutes"
        elif CONTENDERS[run["contender"]].waits and run["server_has_all_ms"] is None:
            yield f"{which} left task runs that never became final on the server"


if __name__ == "__main__":
    sys.exit(main())
