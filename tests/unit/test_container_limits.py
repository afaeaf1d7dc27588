"""Limits of control groups, on trees of files as Linux shows them."""

from __future__ import annotations

import psutil
import pytest

from hopsml_flows import devices
from hopsml_flows.execution.devices.limits import MemoryLimit, cpu_quota, memory_limit

GIB = 1 << 30


@pytest.fixture
def tree(tmp_path):
    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text))
        return tmp_path

    return make


V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/memory"


def test_without_groups_there_is_no_limit(tree):
    root = tree({})
    assert (memory_limit(root), cpu_quota(root)) == (None, None)


def test_a_container_of_version_two(tree):
    root = tree(
        {
            "proc/self/cgroup": "0::/\n",
            f"{V2}/memory.max": 4 * GIB,
            f"{V2}/memory.current": 3 * GIB,
            f"{V2}/memory.stat": f"anon {2 * GIB}\nactive_file 9\ninactive_file {GIB}\n",
            f"{V2}/cpu.max": "150000 100000\n",
        }
    )
    assert memory_limit(root) == MemoryLimit(total=4 * GIB, free=2 * GIB)
    assert cpu_quota(root) == 1.5


def test_the_tightest_limit_above_a_process_holds(tree):
    root = tree(
        {
            "proc/self/cgroup": "0::/user.slice/job_7/task\n",
            f"{V2}/user.slice/job_7/task/memory.max": "max\n",
            f"{V2}/user.slice/job_7/task/cpu.max": "max 100000\n",
            f"{V2}/user.slice/job_7/memory.max": 2 * GIB,
            f"{V2}/user.slice/job_7/memory.current": GIB,
            f"{V2}/user.slice/job_7/cpu.max": "400000 100000\n",
            f"{V2}/user.slice/memory.max": 8 * GIB,
            f"{V2}/user.slice/memory.current": 8 * GIB - 5,
            f"{V2}/user.slice/cpu.max": "200000 100000\n",
        }
    )
    assert memory_limit(root) == MemoryLimit(total=2 * GIB, free=5)
    assert cpu_quota(root) == 2.0


def test_a_container_of_version_one_that_is_told_its_path_outside(tree):
    root = tree(
        {
            "proc/self/cgroup": "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n0::/x\n",
            f"{V1}/memory.limit_in_bytes": GIB,
            f"{V1}/memory.usage_in_bytes": GIB,
            f"{V1}/memory.stat": "cache 5\ntotal_inactive_file 4096\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        }
    )
    assert memory_limit(root) == MemoryLimit(total=GIB, free=4096)
    assert cpu_quota(root) == 0.5


def test_version_one_without_a_limit(tree):
    root = tree(
        {
            "proc/self/cgroup": "5:memory:/\n4:cpu:/\n",
            f"{V1}/memory.limit_in_bytes": 0x7FFFFFFFFFFFF000,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        }
    )
    assert (memory_limit(root), cpu_quota(root)) == (None, None)


def test_files_that_say_nothing_are_no_limit(tree):
    root = tree(
        {
            "proc/self/cgroup": "garbage\n0::/a/../b\n",
            f"{V2}/memory.max": "",
            f"{V2}/cpu.max": "0 0",
        }
    )
    assert (memory_limit(root), cpu_quota(root)) == (None, None)


def test_this_machine_has_cores_and_memory_within_its_own():
    memory, cpu = devices.memory(), devices.cpu()
    assert 0 < memory.used < memory.total <= psutil.virtual_memory().total
    assert 0 <= memory.free <= memory.total
    assert 0 < cpu.cores <= psutil.cpu_count()
    assert cpu.utilization >= 0
