"""What it costs an experiment's start that program and environment are kept.

``.venv/bin/python benchmarks/versions.py`` starts programs that run one trial, in turns with and
without keeping them, and prints how long each waits: until the trial begins, and until it is over.
``one_trial.py`` is such a program, in a git checkout, with the whole environment of development.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
from environment import RESULTS, ROOT

PACKAGES = ("hopsml-flows", "prefect", "dask")

PROGRAM = ROOT / "benchmarks" / "one_trial.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9, help="starts of each kind, in turns")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory(prefix="hopsml-versions-") as directory:
        scratch = Path(directory)
        around = report.surroundings(scratch, PACKAGES)
        _started(scratch, "with")  # makes Prefect's database
        for _ in range(given.repeats):
            for kind, runs in found.items():
                runs.append(_started(scratch, kind))
    text = "# Keeping program and environment\n\n" + report.surroundings_text(around)
    text += f"Medians of {given.repeats} starts, in turns.\n\n{_table(found)}"
    report.save(given.results, "versions", text, {"surroundings": around, "starts": found})
    print(text)
    return 0


def _started(scratch: Path, kind: str) -> dict[str, float]:
    """Seconds until the trial begins, until the experiment is over, and until the process is."""
    command = [sys.executable, str(PROGRAM), str(scratch / "project"), kind]
    env = {**os.environ, "PREFECT_HOME": str(scratch / "prefect"), "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    took = time.perf_counter() - began
    told: dict[str, float] = {"process_s": took}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            told |= json.loads(line)
    return told


def _table(found: dict[str, list[dict[str, float]]]) -> str:
    rows = []
    for label, key in (
        ("until the trial begins", "trial_s"),
        ("until the experiment is over", "over_s"),
        ("until the process is over", "process_s"),
    ):
        kept, plain = (statistics.median(run[key] for run in runs) for runs in found.values())
        rows.append([label, f"{kept:.2f}", f"{plain:.2f}", f"{kept - plain:+.2f}"])
    return report.table(["seconds", "kept", "not kept", "difference"], rows)


if __name__ == "__main__":
    sys.exit(main())
