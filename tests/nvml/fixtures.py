"""A stand-in for NVIDIA's library, for programs that the tests start on machines without a GPU.

What is tested is the real binding on a real shared library; only the driver behind it is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

GIB = 1 << 30


def gpu(uuid, *, utilization=0, used=GIB, total=8 * GIB, code=0, name="NVIDIA Test 8GB"):
    """A line about a GPU; see fake.c."""
    return f"gpu {code} {utilization} {used} {total} {uuid} {name}"


def mig(uuid, *, used=GIB, total=4 * GIB, name="NVIDIA Test 8GB MIG 1g.4gb"):
    """A line about a MIG slice of a GPU, of which NVML does not know the utilization."""
    return f"mig 0 -1 {used} {total} {uuid} {name}"


@dataclass(frozen=True)
class FakeNvml:
    """The library, and the file of its answers.

    Args:
        library: Directory of the library.
        answers: File of what it answers, read with each call.
    """

    library: Path
    answers: Path

    def answer(self, *lines, init=0):
        """Say what it answers from now on."""
        self.answers.with_suffix(".new").write_text("\n".join([f"init {init}", *lines, ""]))
        self.answers.with_suffix(".new").replace(self.answers)

    def run(self, code, *arguments, **env):
        """Run Python code that finds the library; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={
                **{name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT},
                "LD_LIBRARY_PATH": str(self.library),
                "FAKE_NVML": str(self.answers),
                **env,
            },
            cwd=self.answers.parent,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


_NOT_FOR_IT = ("CUDA_VISIBLE_DEVICES",)


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    """The directory of the compiled library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("fake.c")
    target = directory / "libnvidia-ml.so.1"
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", target, source],
        check=True,
        timeout=60,
    )
    return directory


@pytest.fixture
def fake_nvml(nvml_library, tmp_path):
    """The library with an answers file of this test's own."""
    return FakeNvml(nvml_library, tmp_path / "answers.txt")
