"""Whether cost per trial and the driver's memory stay flat: grid searches of growing size.

``python benchmarks/scale.py`` runs one of each size, in a process of its own; ``--one N`` is such
a run, and prints one line of JSON. What a user waits for with the embedded server is measured in
further processes, those of ``overhead.py``. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import environment

BLOCK = 1000
"""The first and the last so many trials are compared."""

SAMPLE_SECONDS = 0.5

WAITS = "waits-embedded"
"""The contender of ``overhead.py`` that runs with the embedded server."""

ENOUGH = 50
"""Fewer trials tell nothing per trial: their time is the constant part's noise."""

COLUMNS = {
    "ms_per_trial": "ms per trial",
    "first_block_ms": f"first {BLOCK:,}, ms",
    "last_block_ms": f"last {BLOCK:,}, ms",
    "last_to_first": "last ÷ first",
    "driver_before_mb": "driver before, MB",
    "driver_after_mb": "driver after, MB",
    "driver_growth_mb": "growth, MB",
    "driver_peak_mb": "driver's peak, MB",
    "cold_start_s": "cold start, s",
    "whole_s": "start to end, s",
}

_HEAD = """\
No-op trials through `grid_search` on local files, 2 workers; one run of each size. The Prefect
server (niced) shares the machine. README.md says what each column means.
"""

_WAITS_HEAD = """\
## What a user waits for, with the embedded server

Milliseconds per trial over an experiment with {few} trials in the same process.
"""


def main() -> int:
    environment.enter()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--one", type=int, metavar="N", help="run N trials, here, and once")
    parser.add_argument("--results", type=Path, default=environment.RESULTS)
    parser.add_argument("--timeout", type=float, default=3600, help="seconds that a run may take")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_one(arguments.one)))
        return 0
    return _all(arguments)


def _one(trials: int) -> dict[str, Any]:
    """Run a grid search in this process."""
    from contenders.project import whole
    from window import Window

    window = Window(trials)
    with _sampled_memory() as samples, tempfile.TemporaryDirectory(prefix="bench-") as directory:
        results = whole(window, Path(directory)).trials
    return {
        **window.figures(),
        **_blocks(sorted(result.ended for result in results), _first_start(results)),
        **_memory(samples, _first_start(results), max(result.ended for result in results)),
    }


def _first_start(results: Sequence[Any]) -> float:
    return min(result.started for result in results)


def _blocks(ended: Sequence[float], started: float) -> dict[str, Any]:
    """Milliseconds per trial in each block of trials, by the order in which they ended."""
    marks = [started, *ended[BLOCK - 1 :: BLOCK]]
    blocks = [1000 * (after - before) / BLOCK for before, after in itertools.pairwise(marks)]
    if len(ended) < 2 * BLOCK:
        return {"blocks_ms": blocks}
    last = 1000 * (ended[-1] - ended[-1 - BLOCK]) / BLOCK
    return {
        "blocks_ms": blocks,
        "first_block_ms": blocks[0],
        "last_block_ms": last,
        "last_to_first": last / blocks[0],
    }


@contextmanager
def _sampled_memory() -> Iterator[list[tuple[float, float]]]:
    """Resident memory of this process in MB, with the time, every half second and at the end."""
    import psutil

    process = psutil.Process()
    samples: list[tuple[float, float]] = []
    over = threading.Event()

    def sample() -> None:
        samples.append((time.time(), process.memory_info().rss / 1e6))

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            sample()

    sample()
    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
        sample()


def _memory(samples: Sequence[tuple[float, float]], started: float, ended: float) -> dict[str, Any]:
    """The driver's memory before the first trial, and the most from the last one's end on."""
    before = [mb for when, mb in samples if when <= started][-1]
    after = max(mb for when, mb in samples if when >= ended)
    return {
        "driver_before_mb": before,
        "driver_after_mb": after,
        "driver_growth_mb": after - before,
        "driver_peak_mb": max(mb for _, mb in samples),
        "driver_mb": [mb for _, mb in samples],
    }


def _all(arguments: argparse.Namespace) -> int:
    from embedded_server import EmbeddedServer
    from prefect_server import prefect_server
    from process_tree import stop_when_told
    from report import surroundings
    from user_waits import prepare_home

    stop_when_told()
    with tempfile.TemporaryDirectory(prefix="bench-prefect-") as home, ExitStack() as stack:
        about = surroundings(Path(home))
        server = stack.enter_context(prefect_server(Path(home, "server"), kind="niced"))
        embedded = EmbeddedServer(Path(home, "embedded"))
        stack.callback(embedded.stop)
        prepare_home(embedded, WAITS, arguments.timeout)
        runs = []
        for trials in arguments.trials:
            runs.append(_measured(trials, arguments.timeout, server))
            runs[-1]["waits"] = _waits(trials, arguments.timeout, embedded)
    _write(arguments.results, about, runs)
    return 1 if any("error" in found for run in runs for found in (run, run["waits"])) else 0


def _waits(trials: int, timeout: float, server: Any) -> dict[str, Any]:
    """Measure what a user waits for; a failure is a result too."""
    import user_waits
    from process_tree import RunError

    try:
        found = user_waits.waits(WAITS, trials, server.env, timeout, other=False)
    except RunError as error:
        found = {"error": str(error)}
    finally:
        server.stop()
    if trials < ENOUGH:
        found.update(dict.fromkeys(user_waits.PER_TRIAL))
    said = (
        found["error"] if "error" in found else f"the call returned in {found['returned_s']:.1f} s"
    )
    print(f"{trials} trials, embedded server: {said}", file=sys.stderr, flush=True)
    return found


def _measured(trials: int, timeout: float, server: Any) -> dict[str, Any]:
    """Run a grid search in a process of its own."""
    import process_tree
    from window import STARTED

    run: dict[str, Any] = {"trials": trials, "server_was_idle": server.wait_idle()}
    env = {**environment.clean_environment(), **server.env, STARTED: repr(time.time())}
    command = [sys.executable, __file__, "--one", str(trials)]
    try:
        finished = process_tree.run(command, env, timeout=timeout)
        run.update(json.loads(finished.output.splitlines()[-1]))
        run.update(finished.figures(own_peak_mb=run.pop("own_peak_mb")))
    except process_tree.RunError as error:
        run["error"] = str(error)
    said = run["error"] if "error" in run else f"{run['ms_per_trial']:.2f} ms per trial"
    print(f"{trials} trials: {said}", file=sys.stderr, flush=True)
    return run


def _write(results: Path, about: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    from report import save, surroundings_text
    from user_waits import FEW, PER_TRIAL

    markdown = "\n".join(
        [
            "# What the number of trials changes\n",
            surroundings_text(about),
            _HEAD,
            _table(COLUMNS, [(run["trials"], run) for run in runs]),
            _WAITS_HEAD.format(few=FEW),
            _table(
                {"returned_s": "from the call to its return, s", **PER_TRIAL},
                [(run["trials"], run["waits"]) for run in runs],
            ),
            *_notes(runs),
        ]
    )
    save(results, "scale", markdown, {"about": about, "runs": runs})
    print(markdown)


def _table(columns: Mapping[str, str], found: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    from report import number, table

    rows = [
        [f"{trials:,}", *(number(run.get(name)) for name in columns)]
        for trials, run in found
        if "error" not in run
    ]
    return table(["trials", *columns.values()], rows)


def _notes(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for run in runs:
        if "error" in run:
            yield f"- {run['trials']:,} trials failed: {run['error'].splitlines()[-1]}"
        elif not run["server_was_idle"]:
            yield f"- {run['trials']:,} trials began while the Prefect server was still busy"
        if "error" in run["waits"]:
            reason = run["waits"]["error"].splitlines()[-1]
            yield f"- {run['trials']:,} trials with the embedded server failed: {reason}"


if __name__ == "__main__":
    sys.exit(main())
