"""Projects on every storage pass the suite; a new storage is one entry of ``STORAGES``."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest

from hopsml_flows.storage import Project
from hopsml_flows.testing import StorageConformance
from hopsml_flows.testing.storage_conformance import UNUSUAL_NAMES
from tests.servers import s3


def _local(request):
    return Project(request.getfixturevalue("tmp_path") / "root")


def _memory(request):
    return Project(f"memory://{uuid4().hex}/root")


def _hopsfs(request):
    request.getfixturevalue("libhdfs")
    return Project(request.getfixturevalue("hdfs_server").url("hopsfs"), {"replication": 1})


def _webhdfs(request):
    return Project(request.getfixturevalue("hdfs_server").url("webhdfs"))


def _s3(request):
    return Project(s3.new_url(), s3.options(request.getfixturevalue("s3_server").endpoint))


def _s3_prefix(request):
    """A prefix that is all an S3 policy allows, on a server that is as discreet as AWS."""
    endpoint = request.getfixturevalue("discreet_endpoint")
    return Project(s3.new_home(), s3.options(endpoint, s3.POLICY_KEY))


def _moto(request):
    return Project(s3.new_url(), s3.options(request.getfixturevalue("moto_endpoint")))


STORAGES = {
    "local": _local,
    "memory": _memory,
    "hopsfs": _hopsfs,
    "webhdfs": _webhdfs,
    "s3": _s3,
    "s3-prefix": _s3_prefix,
    "moto": _moto,
}

SHARED = [name for name in STORAGES if name != "memory"]
"""Those that other processes see."""

LIBHDFS_REFUSES = frozenset("%#?")


# The long form takes a quarter of an hour on HDFS.
READS = int(os.environ.get("HOPSML_TORN_READS", "300"))


class TestProjects(StorageConformance):
    @pytest.fixture(params=STORAGES)
    def project(self, request):
        return STORAGES[request.param](request)

    @pytest.fixture(params=SHARED)
    def shared_project(self, request):
        return STORAGES[request.param](request)

    @pytest.fixture
    def refused_characters(self, project):
        return LIBHDFS_REFUSES if project.url.startswith("hopsfs") else frozenset()

    @pytest.fixture
    def torn_reads(self):
        return READS

    @pytest.mark.timeout(120 + READS // 5)
    def test_no_read_of_a_file_that_is_being_replaced_is_torn(self, project, torn_reads):
        super().test_no_read_of_a_file_that_is_being_replaced_is_torn(project, torn_reads)


@pytest.mark.parametrize("name", [name for name in UNUSUAL_NAMES if LIBHDFS_REFUSES & set(name)])
def test_the_error_of_a_refused_name_says_that_libhdfs_cannot_take_it(request, name):
    project = _hopsfs(request)
    with pytest.raises(OSError, match="libhdfs"):
        project.replace(name, b"1")
    with pytest.raises(OSError, match="libhdfs"):
        project.read(name)
