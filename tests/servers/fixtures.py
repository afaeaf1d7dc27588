"""Fixtures of the servers: each is started once, when the first test asks for it.

A server that cannot be had skips the tests that need it, with the reason.
"""

from __future__ import annotations

import os

import pytest

from tests.servers import fetch, s3
from tests.servers.discreet import DiscreetProxy
from tests.servers.hdfs import HdfsServer
from tests.servers.prefect import PrefectServer
from tests.servers.small_disk import small_disk


@pytest.fixture(scope="session")
def hdfs_server(tmp_path_factory):
    """A NameNode and a DataNode, with WebHDFS."""
    try:
        jars = fetch.hadoop_jars()
    except fetch.MissingError as error:
        pytest.skip(f"no HDFS: {error}")
    server = HdfsServer(tmp_path_factory.mktemp("hdfs") / "hdfs", jars, retry_ms=20)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def libhdfs():
    """Hops' libhdfs, named in the environment of this process and of those it starts."""
    try:
        directory = fetch.libhdfs_directory()
    except fetch.MissingError as error:
        pytest.skip(f"no libhdfs: {error}")
    before = os.environ.get("ARROW_LIBHDFS_DIR")
    os.environ["ARROW_LIBHDFS_DIR"] = str(directory)
    yield directory
    if before is None:
        del os.environ["ARROW_LIBHDFS_DIR"]
    else:
        os.environ["ARROW_LIBHDFS_DIR"] = before


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """SeaweedFS with a bucket."""
    try:
        program = fetch.weed()
    except fetch.MissingError as error:
        pytest.skip(f"no S3: {error}")
    server = s3.S3Server(tmp_path_factory.mktemp("s3"), program)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def discreet_endpoint(s3_server):
    """URL of SeaweedFS behind a proxy that says "forbidden" for "not found", as AWS may."""
    proxy = DiscreetProxy(s3_server.endpoint)
    proxy.start()
    try:
        yield proxy.endpoint
    finally:
        proxy.stop()


@pytest.fixture
def strict_s3_server(tmp_path_factory):
    """SeaweedFS of the test's own, whose credentials it may revoke."""
    try:
        program = fetch.weed()
    except fetch.MissingError as error:
        pytest.skip(f"no S3: {error}")
    server = s3.S3Server(tmp_path_factory.mktemp("strict-s3"), program)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def full_disk(tmp_path_factory):
    """A file system of 4 MB, which the test may fill."""
    try:
        with small_disk(tmp_path_factory.mktemp("small") / "disk") as disk:
            yield disk
    except fetch.MissingError as error:
        pytest.skip(f"no small disk: {error}")


@pytest.fixture(scope="session")
def moto_endpoint():
    """URL of moto's S3, in this process, with a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3.make_bucket(f"http://{host}:{port}")
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def prefect_services(tmp_path_factory):
    """A Prefect server with all its services and the UI; no setting of this process names it."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect-services"))
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def process_worker(prefect_services):
    """A process worker of that server; its work pool is ``tests.servers.prefect.POOL``."""
    worker = prefect_services.start_worker()
    yield worker
    worker.stop()
