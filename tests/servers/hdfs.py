"""A real HDFS on loopback: a NameNode with WebHDFS and a DataNode, each a process of its own."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from uuid import uuid4

from tests.servers.processes import Process, free_ports
from tests.waiting import wait_until

_OPENED = (
    *("java.io", "java.lang", "java.lang.reflect", "java.math", "java.net", "java.text"),
    *("java.util", "java.util.concurrent", "java.util.zip"),
    *("sun.security.util", "sun.security.x509"),
)
_SERVER = "org.apache.hadoop.hdfs.server"
_STATE = "Hadoop:service=NameNode,name=FSNamesystemState"


class HdfsServer:
    """An HDFS of one node.

    Args:
        directory: Its data, configuration and logs.
        jars: Directory of Hadoop's jars.
        retry_ms: How long a client waits before it asks again whether a file that it closes has
            all its blocks. WebHDFS' clients are the DataNodes, which nearly always ask too soon.
    """

    def __init__(self, directory: Path, jars: Path, *, retry_ms: int = 400) -> None:
        self._directory = directory
        self._retry_ms = retry_ms
        self.port, self.http_port, *self._data_ports = free_ports(5)
        self.user = getpass.getuser()
        self.configuration = directory / "conf"
        self.configuration.mkdir(parents=True)
        self._configure()
        self._java = [
            shutil.which("java") or "java",
            "-Xmx192m",
            "-XX:+UseSerialGC",
            *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            f"{self.configuration}:{jars}/*",
        ]
        self._environment = {**os.environ, "HADOOP_USER_NAME": self.user}
        self._name_node: Process | None = None
        self._data_node: Process | None = None

    def start(self) -> None:
        formatted = subprocess.run(
            [*self._java, f"{_SERVER}.namenode.NameNode", "-format", "-nonInteractive"],
            env=self._environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if formatted.returncode != 0:
            raise RuntimeError(f"formatting HDFS failed: {formatted.stderr[-2000:]}")
        self.start_name_node(wait=False)
        self.start_data_node()

    def stop(self) -> None:
        self.stop_data_node()
        self.stop_name_node()

    def start_name_node(self, *, wait: bool = True) -> None:
        self._name_node = self._started("namenode.NameNode")
        if wait:
            self._wait_for_data_node()

    def stop_name_node(self) -> None:
        if self._name_node is not None:
            self._name_node.stop(kill=True)

    def start_data_node(self) -> None:
        """Start it, and wait until it serves."""
        self._data_node = self._started("datanode.DataNode")
        self._wait_for_data_node()

    def stop_data_node(self) -> None:
        """End it at once, as a machine that fails."""
        if self._data_node is not None:
            self._data_node.stop(kill=True)

    def url(self, protocol: str) -> str:
        """URL of a project that does not exist yet."""
        port = self.http_port if protocol == "webhdfs" else self.port
        return f"{protocol}://{self.user}@127.0.0.1:{port}/Projects/{uuid4().hex[:12]}"

    def _started(self, name: str) -> Process:
        log = self._directory / f"{name.partition('.')[0]}.log"
        return Process([*self._java, f"{_SERVER}.{name}"], log, self._environment)

    def _wait_for_data_node(self) -> None:
        wait_until(self._serves, 60, f"start of HDFS ({self._directory})")

    def _serves(self) -> bool:
        """Whether the NameNode has left safe mode and can reach a DataNode that has room."""
        for process in (self._name_node, self._data_node):
            if process is not None and not process.running:
                raise RuntimeError(f"HDFS ended: {process.log.read_text()[-2000:]}")
        url = f"http://127.0.0.1:{self.http_port}/jmx?qry={_STATE}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                [state] = json.load(answer)["beans"]
        except (OSError, ValueError):
            return False
        fresh = state["NumLiveDataNodes"] == 1 and state["CapacityRemaining"] > 0
        return fresh and state["FSState"] == "Operational"

    def _configure(self) -> None:
        data, data_http, data_ipc = (f"127.0.0.1:{port}" for port in self._data_ports)
        self._write_configuration(
            "core-site.xml",
            {
                "fs.defaultFS": f"hdfs://127.0.0.1:{self.port}",
                "hadoop.tmp.dir": str(self._directory / "data"),
            },
        )
        self._write_configuration(
            "hdfs-site.xml",
            {
                "dfs.replication": "1",
                "dfs.namenode.http-address": f"127.0.0.1:{self.http_port}",
                "dfs.datanode.address": data,
                "dfs.datanode.http.address": data_http,
                "dfs.datanode.ipc.address": data_ipc,
                # WebHDFS sends clients there: it must be an address of loopback.
                "dfs.datanode.hostname": "127.0.0.1",
                "dfs.namenode.datanode.registration.ip-hostname-check": "false",
                "dfs.namenode.safemode.extension": "0",
                "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
                "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": str(self._retry_ms),
                # A DataNode that is gone is noticed within seconds, not ten minutes.
                "dfs.heartbeat.interval": "1",
                "dfs.namenode.heartbeat.recheck-interval": "2000",
            },
        )

    def _write_configuration(self, name: str, values: dict[str, str]) -> None:
        entries = "".join(
            f"<property><name>{key}</name><value>{value}</value></property>"
            for key, value in values.items()
        )
        (self.configuration / name).write_text(f"<configuration>{entries}</configuration>")
