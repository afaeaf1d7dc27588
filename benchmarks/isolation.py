"""What the process costs that trials live in: kept from trial to trial, or fresh for each.

``.venv/bin/python benchmarks/isolation.py`` runs grid searches on one worker, in turns, with
``isolation="worker"`` and ``"process"``. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import report
from environment import RESULTS, ROOT
from prefect_server import prefect_server

PACKAGES = ("hopsml-flows", "prefect", "distributed", "tensorflow", "numpy")

_HEAD = """\
Grid searches on one worker of a running cluster, in turns; medians of all runs. "Between trials" is
from the end of a trial to the start of the next one; a trial's time is that of its function.
README.md says more.
"""


def nothing(x: int) -> dict[str, float]:
    import os

    import psutil

    worker = psutil.Process(os.getppid())
    own, other = psutil.Process().memory_info().rss, worker.memory_info().rss
    return {"metric": x, "process_mb": own / 1e6, "worker_mb": other / 1e6}


def imports_tensorflow(x: int) -> dict[str, float]:
    import os

    import psutil
    import tensorflow as tf

    del tf
    return {"metric": x, "process_mb": psutil.Process(os.getpid()).memory_info().rss / 1e6}


def ends_its_process(x: int) -> int:
    import os

    if x % 2:
        os._exit(1)
    return x


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="searches of each kind")
    parser.add_argument("--trials", type=int, default=40, help="trials of a search of no-op trials")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hopsml-isolation-") as directory:
        scratch = Path(directory)
        found = report.surroundings(scratch, PACKAGES)
        with prefect_server(scratch / "prefect", kind="niced") as server:
            os.environ.update(server.env)
            figures = _measured(arguments.repeats, arguments.trials, scratch)
    text = f"# The process that a trial lives in\n\n{report.surroundings_text(found)}\n{_HEAD}\n"
    text += _table(figures)
    (arguments.results / "isolation.md").write_text(text)
    whole = {"surroundings": found, "figures": figures}
    (arguments.results / "isolation.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(text)
    return 0


def _measured(repeats: int, trials: int, scratch: Path) -> dict[str, dict[str, list[float]]]:
    import distributed

    sys.path.insert(0, str(ROOT))
    from hopsml_flows import experiment

    figures: dict[str, dict[str, list[float]]] = {"worker": {}, "process": {}}
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:

        def search(function: Callable, count: int, isolation: str, **options):
            return experiment.grid_search(
                function, {"x": list(range(count))}, project=str(scratch / "project"),
                cluster=cluster.scheduler_address, isolation=isolation, progress=False,
                tensorboard=False, **options,
            )  # fmt: skip

        search(nothing, 2, "worker")  # the worker imports Prefect once, whatever comes after
        for _ in range(repeats):
            for isolation, taken in figures.items():
                print(isolation, file=sys.stderr, flush=True)
                _add(taken, search(nothing, trials, isolation))
                _add_imports(taken, search(imports_tensorflow, 6, isolation))
                _add_deaths(taken, search(ends_its_process, 8, isolation, retries=0))
    return figures


def _note(taken: dict[str, list[float]], name: str, values: list[float]) -> None:
    taken.setdefault(name, []).extend(values)


def _add(taken, result) -> None:
    _note(taken, "between no-op trials, ms", [1000 * gap for gap in _gaps(result.trials)])
    for name, key in (("process, MB", "process_mb"), ("worker, MB", "worker_mb")):
        _note(taken, f"memory of the {name}", [t.outputs[key] for t in result.trials])


def _add_imports(taken, result) -> None:
    later = [trial.duration for trial in result.trials[1:]]
    _note(taken, "a trial that imports TensorFlow, not the first, ms", [1000 * s for s in later])


def _add_deaths(taken, result) -> None:
    done = [trial for trial in result.trials if trial.succeeded]
    _note(taken, "from a trial to the next but one, between them a death, ms",
          [1000 * gap for gap in _gaps(done)])  # fmt: skip


def _gaps(trials) -> list[float]:
    return [after.started - before.ended for before, after in itertools.pairwise(trials)]


def _table(figures: dict[str, dict[str, list[float]]]) -> str:
    lines = ["| | kept (`worker`) | fresh (`process`) | fresh ÷ kept |", "|---|---:|---:|---:|"]
    for name, kept in figures["worker"].items():
        one, other = statistics.median(kept), statistics.median(figures["process"][name])
        ratio = other / one if one else float("nan")
        lines.append(f"| {name} | {one:,.1f} | {other:,.1f} | {ratio:,.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
