"""How long two processes take to their first common step: by one call, and started by hand.

``.venv/bin/python benchmarks/distributed_training.py`` starts one TensorFlow training in turns:
by hand, with ``TF_CONFIG``; by ``experiment.mirrored`` on a cluster that runs; and with a cluster
of its own. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import report
from environment import RESULTS, ROOT
from prefect_server import prefect_server

PACKAGES = ("hopsml-flows", "prefect", "distributed", "tensorflow", "tf-keras")

PROCESSES = 2

_HEAD = """\
Seconds from the start, or the call, until the first step of training is done in both processes; in
turns, medians. README.md says what each contender is.
"""


def train() -> None:
    """One step under MultiWorkerMirroredStrategy; says when it was done."""
    import json
    import os
    import time

    import numpy as np
    import tensorflow as tf

    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = tf.keras.Sequential([tf.keras.layers.Input((64,)), tf.keras.layers.Dense(10)])
        model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    digits = np.zeros((32, 64), "float32"), np.zeros(32, "int64")
    model.fit(*digits, batch_size=32, epochs=1, verbose=0)
    task = json.loads(os.environ["TF_CONFIG"])["task"]
    name = os.path.join(os.environ["FIRST_STEP"], f"{task['type']}-{task['index']}")
    with open(f"{name}.part", "w") as file:
        file.write(repr(time.time()))
    os.rename(f"{name}.part", name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each contender")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--by-hand", action="store_true", help="be one process of a run by hand")
    arguments = parser.parse_args()
    if arguments.by_hand:
        train()
        return 0
    arguments.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hopsml-distributed-") as directory:
        scratch = Path(directory)
        found = report.surroundings(scratch, PACKAGES)
        with prefect_server(scratch / "prefect", kind="niced") as server:
            os.environ.update(server.env)
            figures = _measured(arguments.repeats, scratch)
    text = f"# Start of distributed training\n\n{report.surroundings_text(found)}\n{_HEAD}\n"
    text += _table(figures)
    (arguments.results / "distributed_training.md").write_text(text)
    whole = {"surroundings": found, "seconds": figures}
    (arguments.results / "distributed_training.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(text)
    return 0


def _measured(repeats: int, scratch: Path) -> dict[str, list[float]]:
    import distributed

    sys.path.insert(0, str(ROOT))
    from hopsml_flows import experiment

    def project(cluster: str) -> Callable[[Path], None]:
        def run(steps: Path) -> None:
            experiment.mirrored(
                f"{__file__}:train",
                num_workers=PROCESSES,
                environment={"FIRST_STEP": str(steps)},
                project=str(scratch / "project"),
                cluster=cluster,
                progress=False,
                tensorboard=False,
            )

        return run

    figures: dict[str, list[float]] = {}
    with distributed.LocalCluster(
        n_workers=PROCESSES, threads_per_worker=1, dashboard_address=":0"
    ) as running:
        contenders = {
            "by hand": _by_hand,
            "running cluster": project(running.scheduler_address),
            "own cluster": project("local"),
        }
        for number in range(repeats):
            for name, run in contenders.items():
                print(name, file=sys.stderr, flush=True)
                steps = scratch / f"{name}-{number}"
                steps.mkdir()
                began = time.time()
                run(steps)
                ended = [float(file.read_text()) for file in steps.iterdir()]
                assert len(ended) == PROCESSES
                figures.setdefault(name, []).append(max(ended) - began)
    return figures


def _by_hand(steps: Path) -> None:
    """Start the processes as a shell script would, at the same time."""
    ports = [_free_port() for _ in range(PROCESSES)]
    addresses = [f"127.0.0.1:{port}" for port in ports]
    cluster = {"chief": addresses[:1], "worker": addresses[1:]}
    tasks = [("chief", 0), *(("worker", index) for index in range(PROCESSES - 1))]
    processes = []
    for role, index in tasks:
        config = {"cluster": cluster, "task": {"type": role, "index": index}}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            "TF_USE_LEGACY_KERAS": "1",
            "FIRST_STEP": str(steps),
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, "--by-hand"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    for process in processes:
        if process.wait() != 0:
            raise RuntimeError("a process started by hand failed")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _table(figures: dict[str, list[float]]) -> str:
    medians = {name: statistics.median(seconds) for name, seconds in figures.items()}
    lines = ["| contender | median, s | fastest | slowest | to by hand |", "|---|---|---|---|---|"]
    for name, seconds in figures.items():
        lines.append(
            f"| {name} | {medians[name]:.2f} | {min(seconds):.2f} | {max(seconds):.2f} "
            f"| {medians[name] / medians['by hand']:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
