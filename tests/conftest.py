"""Settings that hold for all tests; fixtures that start something are in ``tests/integration``."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest

from tests.nvml.fixtures import (  # noqa: F401 - shared by all tests
    fake_nvml,
    nvml_library,
)
from tests.servers.fixtures import (  # noqa: F401 - shared by all tests
    discreet_endpoint,
    full_disk,
    hdfs_server,
    libhdfs,
    moto_endpoint,
    prefect_services,
    process_worker,
    s3_server,
    strict_s3_server,
)

# Before anything imports Prefect: tests must not touch the user's database or profile, nor
# report to anyone.
_home = tempfile.mkdtemp(prefix="hopsml-tests-prefect-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["PREFECT_HOME"] = _home
# Nor the user's cache of files and indexes.
os.environ["HOPSML_CACHE"] = os.path.join(_home, "cache")
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"
# Each embedded server ends with its last experiment: hundreds of homes would leave one each.
os.environ["HOPSML_SERVER_IDLE_SECONDS"] = "0"
# Hundreds of experiments: those that are about TensorBoard say so.
os.environ["HOPSML_TENSORBOARD"] = "false"
for name in ("PREFECT_API_URL", "HOPSML_PROJECT", "HOPSWORKS_PROJECT_NAME", "LIBHDFS_DEFAULT_FS"):
    os.environ.pop(name, None)


_ON_SERVERS = {"conformance", "integration", "ui"}
"""Directories whose tests use real servers and processes."""


def pytest_collection_modifyitems(config, items):
    """Such a test that fails runs once more; the summary names it.

    A server that shares two cores with all that the tests start is silent at times, for longer than
    a test, or this package, waits for it. ``-p no:rerunfailures`` shows every failure.
    """
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if item.path.parent.name in _ON_SERVERS:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=5))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a skipped test is a failed one: what it needs must be installed there."""
    report = yield
    may_skip = item.get_closest_marker("gpu") or item.get_closest_marker("torch")
    if report.skipped and os.environ.get("CI") == "true" and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
