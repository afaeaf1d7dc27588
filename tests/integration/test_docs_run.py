"""The code and the commands of every page run, in order, and print what the page says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.documents import DOCS, ROOT, Block, blocks, pages
from tests.servers.homes import used_home
from tests.servers.processes import free_ports

INTERPRETER = ROOT / "tests" / "page_interpreter.py"

SECONDS = 280
"""How long a page may take."""

PROJECT = "Projects/demo"


class Surroundings:
    """What a page finds: environment variables, and servers under the names that the page uses.

    Args:
        request: The test's request, which knows the fixtures of servers.
        work: The directory that the page runs in; what else it leaves is beside it.
    """

    def __init__(self, request: pytest.FixtureRequest, work: Path) -> None:
        directory = work.parent
        self._request = request
        self.names: dict[str, str] = {}
        self.environment = {
            "PREFECT_HOME": str(used_home(directory / "prefect")),
            "HOPSML_KEPT": str(directory / "kept"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(map(str, (work, ROOT, ROOT / "tasks"))),
        }

    def add(self, name: str) -> None:
        """Make one server known to the page."""
        getattr(self, f"_{name}")()

    def of_page(self, text: str) -> str:
        """A text of the page, with the servers' own addresses."""
        for name, address in self.names.items():
            text = text.replace(name, address)
        return text

    def _shared(self) -> None:
        """The tests' Prefect server, as one that somebody has started before."""
        self.environment["PREFECT_API_URL"] = self._request.getfixturevalue("prefect_server")

    def _embedded(self) -> None:
        """None: the page's experiments start a Prefect server of their own."""

    def _own(self) -> None:
        """A port on which the page itself starts a Prefect server."""
        (port,) = free_ports(1)
        self.names["127.0.0.1:4200"] = f"127.0.0.1:{port}"
        self.environment |= {
            "PREFECT_SERVER_API_PORT": str(port),
            # Runs that a page starts begin at once, as those of a reader who waits.
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        }

    def _scheduler(self) -> None:
        """A Dask scheduler with two workers."""
        self.names["tcp://scheduler:8786"] = self._request.getfixturevalue("dask_address")

    def _hdfs(self) -> None:
        """HDFS, by libhdfs and by HTTP."""
        self._request.getfixturevalue("libhdfs")
        server = self._request.getfixturevalue("hdfs_server")
        for protocol, address in {
            "hopsfs": "namenode:8020",
            "hdfs": "namenode:8020",
            "webhdfs": "namenode:9870",
        }.items():
            self.names[f"{protocol}://{address}/{PROJECT}"] = server.url(protocol)

    def _s3(self) -> None:
        """S3 with a bucket."""
        from tests.servers import s3

        server = self._request.getfixturevalue("s3_server")
        self.environment |= server.environment
        self.names[f"s3://bucket/{PROJECT}"] = s3.new_url()


def code_of(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.runs or "file" in block.said]


PAGES = [page for page in pages() if code_of(page)]

LONG = [
    DOCS / name
    for name in (
        "explanation/state-machines.md",
        "how-to/clusters.md",
        "how-to/deployments.md",
        "how-to/distributed-training.md",
        "how-to/prefect-server.md",
        "how-to/storage.md",
        "how-to/write-a-cluster-kind.md",
        "reference/distributed.md",
        "reference/tensorboard.md",
        "reference/verbs.md",
    )
]
"""Pages that take longest; other tests have what most of their blocks show."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=str(page.relative_to(ROOT)),
            marks=[pytest.mark.slow] if page in LONG else [],
        )
        for page in PAGES
    ],
)
def test_a_page_runs_as_it_is_written(page, tmp_path, request):
    found = blocks(page)
    for block in found:
        needed = block.said.get("needs")
        if needed and importlib.util.find_spec(needed) is None:
            pytest.skip(f"{block.place} needs {needed}")
    servers = {name for block in found for name in block.said.get("server", "").split(",") if name}
    work = tmp_path / "work"
    around = Surroundings(request, work)
    if not servers & {"embedded", "own"}:
        servers.add("shared")
    for name in sorted(servers):
        around.add(name)
    shutil.copytree(ROOT / "deployments", work / "deployments")
    for block in found:
        if "file" in block.said:
            file = work / block.said["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(around.of_page(block.code))
        elif block.language == "toml" and "fragment" not in block.said:
            install_entry_points(tomllib.loads(block.code), work)
    printed = run(page, [block for block in found if block.runs], around, work)
    for block in found:
        if block.printed is not None:
            printed = after(block, around.of_page(block.printed), printed)


def install_entry_points(project: dict, work: Path) -> None:
    """Make the entry points of a ``pyproject.toml`` known, as if its package were installed."""
    installed = work / "of_the_page-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: of-the-page\nVersion: 1\n")
    lines = []
    for group, names in project.get("project", {}).get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in names.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))


def run(page: Path, steps: list[Block], around: Surroundings, work: Path) -> str:
    """Run blocks in a process of their own; returns what they printed."""
    file = work.parent / "steps.json"
    file.write_text(
        json.dumps(
            [
                {
                    "language": block.language,
                    "line": block.line,
                    "code": around.of_page(block.script),
                    "said": {key: around.of_page(text) for key, text in block.said.items()},
                }
                for block in steps
            ]
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(INTERPRETER), str(file), page.stem],
        cwd=work,
        env={**os.environ, **around.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        printed, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it ends what it has started
        printed, said = process.communicate(timeout=60)
        pytest.fail(f"the page takes longer than {SECONDS} s\n{printed}\n{said}")
    if process.returncode != 0:
        pytest.fail(f"the page ended with {process.returncode}\n{printed}\n{said}")
    return printed


def after(block: Block, expected: str, printed: str) -> str:
    """What was printed after what a block says was printed."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("…"))
    found = re.search(pattern, printed, re.DOTALL)
    assert found, f"{block.place} says that this is printed:\n{expected}\nof\n{printed}"
    return printed[found.end() :]


def test_pages_that_should_have_code_have_code():
    names = {str(page.relative_to(DOCS)) for page in PAGES if page.is_relative_to(DOCS)}
    assert {
        "tutorial/first-experiment.md",
        "tutorial/search.md",
        "tutorial/results.md",
        "how-to/training-code.md",
        "how-to/keep-files.md",
        "how-to/write-an-optimizer.md",
        "how-to/write-a-storage.md",
        "how-to/write-a-cluster-kind.md",
    } <= names
    assert ROOT / "README.md" in PAGES
