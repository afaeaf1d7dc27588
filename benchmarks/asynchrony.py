"""What asynchronous search saves, and what reports and early stops cost: this project and peers.

``python benchmarks/asynchrony.py`` measures all, each search in a process of its own, in turns;
``--part NAME`` is such a process, and prints one line of JSON. README.md says what is measured.
Trials sleep, so that there may be more workers than cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environment

PACKAGES = ("hopsml-flows", "prefect", "distributed", "optuna", "ray")

SEARCHES = {
    "own-waves": "this project, waves of 8",
    "own-asynchronous": "this project, asynchronous",
    "own-median": "this project, asynchronous, median rule",
    "ray-asynchronous": "Ray Tune, reuse_actors",
    "ray-median": "Ray Tune, reuse_actors, median rule",
    "optuna-asynchronous": "Optuna, 8 threads, SQLite",
    "optuna-median": "Optuna, 8 threads, SQLite, median rule",
}
SINGLE = ("latency", "report", "flood-0", "flood-50", "replay")

FLOOD_SECONDS = 20.0

_HEAD = """\
{trials} trials of {reports} reports, 8 at once; speeds are lognormal (sigma 0.5), a trial sleeps
2 s in the median. Medians of {repeats} searches in turns. "Utilisation" is the time that trials
ran, per worker, from the first start to the last end; "possible" is that of the same trials without
any gap between them. "Saved" is of the wall time of this project's waves. README.md says more.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="searches of each kind")
    parser.add_argument("--trials", type=int, default=100, help="trials of a search")
    parser.add_argument("--replayed", type=int, default=1000, help="trials of the replayed search")
    parser.add_argument("--only", nargs="*", choices=[*SEARCHES, *SINGLE], help="what to measure")
    parser.add_argument("--results", type=Path, default=environment.RESULTS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    environment.enter()
    if arguments.part is not None:
        print(json.dumps(_part(arguments)))
        return 0
    return _all(arguments)


def _all(arguments: argparse.Namespace) -> int:
    import report

    wanted = arguments.only or [*SEARCHES, *SINGLE]
    found: dict[str, Any] = {"searches": {}, "single": {}}
    for seed in range(1, arguments.repeats + 1):
        for name in SEARCHES:
            if name in wanted:
                found["searches"].setdefault(name, []).append(_run(name, seed, arguments))
    for name in SINGLE:
        if name in wanted:
            found["single"][name] = _run(name, 1, arguments)
    found["single"]["flood_seconds"] = FLOOD_SECONDS
    with tempfile.TemporaryDirectory(prefix="hopsml-asynchrony-") as directory:
        around = report.surroundings(Path(directory), PACKAGES)
    text = f"# Asynchronous search\n\n{report.surroundings_text(around)}\n"
    text += _tables(found, arguments)
    report.save(arguments.results, "asynchrony", text, {"surroundings": around, **found})
    print(text)
    return 0


def _run(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    print(f"{name} {seed}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--part", name, "--seed", str(seed)]
    command += ["--trials", str(arguments.trials), "--replayed", str(arguments.replayed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    line = done.stdout.splitlines()[-1]
    print(line, file=sys.stderr, flush=True)  # a later part may fail
    return json.loads(line)


def _part(arguments: argparse.Namespace) -> dict[str, Any]:
    sys.path.insert(0, str(environment.ROOT))
    with tempfile.TemporaryDirectory(prefix="hopsml-asynchrony-") as directory:
        scratch = Path(directory)
        whose, _, kind = arguments.part.partition("-")
        if whose in ("ray", "optuna"):
            from asynchronous import peers

            run = peers.ray_tune if whose == "ray" else peers.optuna_threads
            return run(scratch, kind, arguments.trials, arguments.seed)
        with _place(scratch) as place:
            return _own(place, arguments)


def _own(place: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    from asynchronous import own

    own.search(place, "asynchronous", own.WORKERS, 0)  # workers import what they need once
    whose, _, kind = arguments.part.partition("-")
    match whose:
        case "own":
            return own.search(place, kind, arguments.trials, arguments.seed)
        case "latency":
            return {"ms": own.latencies(place, 40)}
        case "report":
            return own.report_cost(place)
        case "flood":
            return own.Flood(int(kind), FLOOD_SECONDS).run(place)
        case "replay":
            return own.replay_seconds(place, arguments.replayed)
    raise SystemExit(f"no such part: {arguments.part}")


@contextmanager
def _place(scratch: Path) -> Iterator[Any]:
    """A Prefect server, and eight workers."""
    import distributed
    from prefect_server import prefect_server

    with prefect_server(scratch / "prefect", kind="niced") as server:
        os.environ.update(server.env)
        from asynchronous.own import WORKERS, Place

        with distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0"
        ) as cluster:
            yield Place(str(scratch / "project"), cluster.scheduler_address)


def _tables(found: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    import report
    from asynchronous.training import REPORTS

    medians = {
        name: {
            key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "failed"
        }
        for name, runs in found["searches"].items()
    }
    text = _HEAD.format(trials=arguments.trials, reports=REPORTS, repeats=arguments.repeats) + "\n"
    waves = medians.get("own-waves")
    rows = []
    for name, values in medians.items():
        saved = 1 - values["wall_s"] / waves["wall_s"] if waves else None
        cells = [values["wall_s"], values["call_s"], values["utilisation"], values["possible"]]
        cells += [saved, values["stopped"], values["best"]]
        rows.append([SEARCHES[name], *map(report.number, cells)])
    columns = ("", "wall, s", "call, s", "utilisation", "possible", "saved", "stopped", "best")
    text += report.table(columns, rows)
    single = found["single"]
    facts = []
    if "latency" in single:
        ms = sorted(single["latency"]["ms"])
        facts.append(("report to exception, median, ms", statistics.median(ms)))
        facts.append(("report to exception, 9 of 10 below, ms", ms[len(ms) * 9 // 10]))
    if "report" in single:
        alone = single["report"]
        facts.append(("a report costs a trial alone, back to back, µs", alone["back_to_back_us"]))
        facts.append(("a report costs a trial alone, after pauses, µs", alone["paused_us"]))
    if {"flood-0", "flood-50"} <= set(single):
        plain, flood = single["flood-0"], single["flood-50"]
        share = (flood["driver_s"] - plain["driver_s"]) / FLOOD_SECONDS
        facts.append(("8 trials, 50 reports/s each: driver, share of a core", share))
        facts.append(("of these reports, lost from the trials' files", float(flood["lost"])))
        facts.append(("a report costs the function then, µs", flood["us_per_report"]))
    if "replay" in single:
        facts.append((f"replay of {arguments.replayed:,} trials, s", single["replay"]["seconds"]))
    if facts:
        text += "\n" + report.table(("", "figure"), [[what, report.number(v)] for what, v in facts])
    return text


if __name__ == "__main__":
    sys.exit(main())
