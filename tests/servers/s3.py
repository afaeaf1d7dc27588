"""Real S3 servers on loopback: SeaweedFS, and moto in this process."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

from tests.servers.processes import Process, free_ports
from tests.waiting import wait_until

BUCKET = "projects"
KEY, SECRET = "hopsml-tests", "a-secret-of-the-tests"

ACTIONS_KEY, POLICY_KEY = "one-who-has-actions", "one-who-has-a-policy"
"""Users who may use what is below ``home/<name>/``, and see nothing of the rest of the bucket."""


class S3Server:
    """SeaweedFS with one bucket, a user who may do everything, and two who have a home.

    Args:
        directory: Its data and logs.
        program: The program ``weed``.
    """

    def __init__(self, directory: Path, program: Path) -> None:
        self._directory = directory
        self._program = program
        self._process: Process | None = None
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which AWS' tools, and so this project, find it."""
        return environment(self.endpoint)

    def start(self) -> None:
        ports = free_ports(8)
        self._port = ports[0]
        (self._directory / "data").mkdir(parents=True, exist_ok=True)
        users = self._write_users(KEY)
        names = ("s3.port.grpc", "master.port", "master.port.grpc", "volume.port")
        names += ("volume.port.grpc", "filer.port", "filer.port.grpc")
        self._process = Process(
            [
                str(self._program),
                "server",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-dir={self._directory / 'data'}",
                "-filer=true",
                "-s3",
                f"-s3.port={self._port}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.autoCreateBucket=false",
                f"-s3.config={users}",
                "-master.telemetry=false",
                "-volume.max=100",
                "-master.volumeSizeLimitMB=64",
                *(f"-{name}={port}" for name, port in zip(names, ports[1:], strict=True)),
            ],
            self._directory / "weed.log",
            dict(os.environ),
        )
        wait_until(self._serves, 60, f"start of SeaweedFS ({self._process.log})")
        make_bucket(self.endpoint)

    def revoke(self) -> None:
        """Refuse the credentials from now on, as when a token has expired."""
        self._let_in("somebody-else")
        wait_until(lambda: not self._lets_in(), 30, "the end of the credentials")

    def restore(self) -> None:
        """Take the credentials again."""
        self._let_in(KEY)
        wait_until(self._lets_in, 30, "the return of the credentials")

    def _let_in(self, key: str) -> None:
        assert self._process is not None
        self._write_users(key)
        self._process.send(signal.SIGHUP)  # it reads the file again

    def _lets_in(self) -> bool:
        import s3fs

        fs = s3fs.S3FileSystem(**options(self.endpoint), skip_instance_cache=True)
        try:
            fs.call_s3("list_objects_v2", Bucket=BUCKET, MaxKeys=1)
        except PermissionError:
            return False
        return True

    def _write_users(self, key: str) -> Path:
        users = self._directory / "s3.json"
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": key, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        identities = [identity, _WITH_ACTIONS, _WITH_POLICY]
        users.write_text(json.dumps({"identities": identities, "policies": [_POLICY]}))
        return users

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(kill=True)  # it takes 10 s to end by itself

    def _serves(self) -> bool:
        assert self._process is not None
        if not self._process.running:
            raise RuntimeError(f"SeaweedFS ended: {self._process.log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"{self.endpoint}/", timeout=5).close()
        except urllib.error.HTTPError:  # it wants credentials: it is up
            return True
        except OSError:
            return False
        return True


def environment(endpoint: str, key: str = KEY) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }


def options(endpoint: str, key: str = KEY) -> dict[str, object]:
    """The same as storage options."""
    client = {"region_name": "us-east-1"}
    return {"key": key, "secret": SECRET, "endpoint_url": endpoint, "client_kwargs": client}


def make_bucket(endpoint: str, name: str = BUCKET) -> None:
    import s3fs

    fs = s3fs.S3FileSystem(**options(endpoint), skip_instance_cache=True)
    wait_until(lambda: _made(fs, name), 30, f"making the bucket {name}")


def _made(fs, name: str) -> bool:
    try:
        fs.call_s3("create_bucket", Bucket=name)
    except FileExistsError:
        return True
    except OSError:  # the volume server has not said yet that it is there
        return False
    return True


def new_url() -> str:
    """URL of a project that does not exist yet."""
    return f"s3://{BUCKET}/{uuid4().hex[:12]}/project"


def new_home() -> str:
    """URL of a project at a prefix that the users with a home may use."""
    return f"s3://{BUCKET}/home/{uuid4().hex[:12]}"


# No policy allows "home/<name>" without a slash, nor anything above it.
_HOME = f"{BUCKET}/home/*/*"
_WITH_ACTIONS: dict[str, object] = {
    "name": "actions",
    "credentials": [{"accessKey": ACTIONS_KEY, "secretKey": SECRET}],
    "actions": [f"{action}:{_HOME}" for action in ("Read", "Write", "List", "Tagging")],
}
_WITH_POLICY: dict[str, object] = {
    "name": "policy",
    "credentials": [{"accessKey": POLICY_KEY, "secretKey": SECRET}],
    "policyNames": ["home"],
}
_STATEMENTS = [
    {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{BUCKET}"],
        "Condition": {"StringLike": {"s3:prefix": ["home/*/*"]}},
    },
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        "Resource": [f"arn:aws:s3:::{_HOME}"],
    },
]
_POLICY: dict[str, object] = {
    "name": "home",
    "content": json.dumps({"Version": "2012-10-17", "Statement": _STATEMENTS}),
}
