"""Experiments in a real control group, as a container or a batch job has one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.waiting import wait_until

GIB = 1 << 30
GROUPS = Path("/sys/fs/cgroup")

PROGRAM = """
import json, os
from hopsml_flows import experiment

def train(x):
    return {"metric": x, "worker": os.getppid()}

result = experiment.grid_search(train, {"x": list(range(6))}, name="contained", progress=False)
with open(f"{result.path}/{result.trials[0].directory}/output.log") as log:
    print("RESULT", json.dumps({
        "workers": len({trial.outputs["worker"] for trial in result.trials}),
        "log": log.read(),
    }))
"""


class ControlGroup:
    """A group of Linux's in which a command runs; version 1 or 2, as the system has it."""

    def __init__(self, *, cores: float | None = None, memory: int | None = None) -> None:
        name = f"hopsml-{uuid.uuid4().hex[:8]}"
        self.directories: list[Path] = []
        if (GROUPS / "cgroup.controllers").exists():
            (GROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
            quota, limit = "cpu.max", "memory.max"
            parents = {quota: GROUPS, limit: GROUPS}
            period = " 100000"
        else:
            quota, limit = "cpu.cfs_quota_us", "memory.limit_in_bytes"
            parents = {quota: GROUPS / "cpu", limit: GROUPS / "memory"}
            period = ""
        for file, text in (
            (quota, None if cores is None else f"{round(cores * 100_000)}{period}"),
            (limit, None if memory is None else str(memory)),
        ):
            if text is None:
                continue
            directory = parents[file] / name
            if directory not in self.directories:
                directory.mkdir()
                self.directories.append(directory)
            (directory / file).write_text(text)

    def command(self, *command: str) -> list[str]:
        """The command, run inside of the group."""
        joined = "".join(f"echo $$ > {d}/cgroup.procs && " for d in self.directories)
        return ["sh", "-c", f'{joined}exec "$@"', "sh", *command]

    def remove(self) -> None:
        for directory in self.directories:
            wait_until(
                lambda group=directory: not (group / "cgroup.procs").read_text(),
                60,
                f"{directory} is empty",
            )
            directory.rmdir()


@pytest.fixture
def control_group():
    """Makes control groups, and removes them."""
    made: list[ControlGroup] = []

    def make(**limits) -> ControlGroup:
        try:
            made.append(ControlGroup(**limits))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        return made[-1]

    yield make
    for group in made:
        group.remove()


def contained(group, tmp_path, **env):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        group.command(sys.executable, str(script)),
        cwd=tmp_path,
        env={**os.environ, "HOPSML_PROJECT": str(tmp_path / "project"), **env},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)[1])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_quota_of_one_core_starts_one_worker(prefect_server, tmp_path, control_group):
    told = contained(control_group(cores=1), tmp_path, PREFECT_API_URL=prefect_server)
    assert told["workers"] == 1


def test_workers_share_the_memory_of_their_container(prefect_server, tmp_path, control_group):
    group = control_group(cores=1, memory=3 * GIB)
    told = contained(group, tmp_path, PREFECT_API_URL=prefect_server)
    assert "3.0 GiB" in told["log"].splitlines()[0], told["log"]
