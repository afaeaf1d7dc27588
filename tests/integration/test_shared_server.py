"""The embedded server of a Prefect home: who shares it, how long it stays, what replaces it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.events import Event
from prefect.events.clients import PrefectEventsClient
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.server import embedded
from hopsml_flows.server.embedded import ServerStart, embedded_server, server_keeps_all
from hopsml_flows.server.embedded_process import listening_socket
from hopsml_flows.server.registration import IDLE_VARIABLE, Files
from tests.servers.homes import used_home
from tests.servers.processes import free_ports, gone
from tests.waiting import wait_until
from tests.workers import running

CLIENT = """
import json, sys
from hopsml_flows.server.embedded import embedded_server

with embedded_server() as url:
    print(json.dumps(url), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path):
    """A Prefect home; the servers that are registered there at the end are ended."""
    found = used_home(tmp_path / "home")
    yield found
    for server in registered(found):
        server.kill()


@pytest.fixture
def here(home):
    """This process uses that home, and no configured server."""
    with temporary_settings({PREFECT_HOME: home}, restore_defaults={PREFECT_API_URL}):
        yield home


def registrations(home):
    return [json.loads(file.read_text()) for file in home.glob("hopsml-server-*/*.json")]


def registered(home):
    found = []
    for registration in registrations(home):
        try:
            found.append(psutil.Process(registration["pid"]))
        except psutil.NoSuchProcess:
            continue
    return found


class Client:
    """A process that uses the server of a home until it is told to stop."""

    def __init__(self, home, *prefix, code=CLIENT, **variables):
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code],
            env={**os.environ, "PREFECT_HOME": str(home), IDLE_VARIABLE: "2", **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def leave(self):
        self.leave_soon()
        self.left()

    def leave_soon(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def left(self):
        _, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err


@pytest.fixture
def client(home):
    clients = []

    def start(*prefix, of=home, **options):
        clients.append(Client(of, *prefix, **options))
        return clients[-1]

    yield start
    for one in clients:
        one.process.kill()
        one.process.communicate()


def test_processes_that_start_at_once_share_one_server(home, client):
    clients = [client() for _ in range(10)]
    assert len({one.url() for one in clients}) == 1
    (server,) = registered(home)
    for one in clients:
        one.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")
    assert registrations(home) == []


def test_requests_at_once_wait_for_each_other_and_none_is_refused(client):
    """SQLite takes one writer at a time; Prefect's own server answers 503 to some of the others."""
    url = client().url()

    def create(number):
        with httpx.Client(base_url=url, timeout=120) as api:
            flow = api.post("/flows/", json={"name": f"flow-{number}"}).raise_for_status().json()
            body = {"flow_id": flow["id"], "state": {"type": "PENDING"}}
            answers = [api.post("/flow_runs/", json=body) for _ in range(10)]
            for answer in answers[:]:
                run, state = answer.json()["id"], {"state": {"type": "RUNNING"}}
                answers.append(api.post(f"/flow_runs/{run}/set_state", json=state))
            return [answer.status_code for answer in answers]

    with ThreadPoolExecutor(10) as pool:
        codes = [code for found in pool.map(create, range(10)) for code in found]
    assert codes == [201] * 200


@pytest.mark.slow
def test_a_server_stays_for_its_idle_time_and_serves_who_comes_then(home, client):
    first = client(HOPSML_SERVER_IDLE_SECONDS="20")
    url = first.url()
    (server,) = registered(home)
    first.leave()
    second = client()
    assert second.url() == url
    assert registered(home) == [server]
    second.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")


@pytest.mark.slow
def test_a_server_with_a_client_stays_longer_than_its_idle_time(home, client):
    first = client(HOPSML_SERVER_IDLE_SECONDS="0.5")
    first.url()
    (server,) = registered(home)
    time.sleep(3)
    assert server.is_running()
    first.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")


@pytest.mark.slow
def test_a_killed_starter_leaves_the_server_to_others_and_nothing_afterwards(home, client):
    first, second = client(), client()
    assert first.url() == second.url()
    (server,) = registered(home)
    starter = next(one for one in (first, second) if one.process.pid == server.ppid())
    other = second if starter is first else first
    starter.process.kill()
    starter.process.wait()
    third = client()
    assert third.url() == json.loads(json.dumps(registrations(home)[0]["url"]))
    for one in (other, third):
        one.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")


@pytest.mark.slow
def test_a_starter_killed_during_the_start_leaves_no_second_server(home, client):
    first = client()
    starting = []

    def begun():
        starting[:] = psutil.Process(first.process.pid).children()
        return bool(starting)

    wait_until(begun, 60, "the server's process")
    first.process.kill()
    first.process.wait()
    second = client()
    second.url()
    (server,) = registered(home)
    assert server == starting[0]  # it kept the lock of its start
    second.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")


def test_a_server_that_was_killed_is_replaced(here, monkeypatch):
    monkeypatch.setenv(IDLE_VARIABLE, "5")
    with embedded_server():
        assert server_keeps_all()
        (server,) = registered(here)
        server.kill()
        wait_until(lambda: gone(server.pid), 30, "the end of the server")
        assert not server_keeps_all()
        with ServerStart() as start:
            assert start.client().server.process() is not None
            assert not server_keeps_all()  # of what the first server had
            (second,) = registered(here)
            assert second != server


def test_a_server_takes_the_port_of_the_one_before_if_that_is_free():
    (port,) = free_ports(1)
    with listening_socket(port) as first, listening_socket(port) as second:
        assert first.getsockname()[1] == port
        assert second.getsockname()[1] != port


@pytest.mark.slow
def test_a_server_that_hangs_is_replaced(here, monkeypatch):
    monkeypatch.setenv(IDLE_VARIABLE, "5")
    monkeypatch.setattr(embedded, "_HUNG_SECONDS", 2.0)
    with embedded_server():
        (server,) = registered(here)
    server.send_signal(signal.SIGSTOP)
    with embedded_server():
        assert gone(server.pid)
        (second,) = registered(here)
        assert second != server


@pytest.mark.slow
def test_homes_and_settings_of_the_server_do_not_share(home, tmp_path, client):
    other = tmp_path / "other"
    clients = [
        client(),
        client(of=other),
        client(PREFECT_SERVER_API_MAX_PARAMETER_SIZE="1000000"),
    ]
    assert len({one.url() for one in clients}) == 3
    assert len(registered(home)) == 2
    for one in clients:
        one.leave()
    for server in registered(other):
        wait_until(lambda pid=server.pid: gone(pid), 60, "the end of the server")


def test_versions_of_prefect_do_not_share(here, monkeypatch):
    import prefect

    key = Files.of_home().key
    assert Files.of_home().key == key
    monkeypatch.setattr(prefect, "__version__", "3.99.0")
    assert Files.of_home().key != key


KEY = "from hopsml_flows.server.registration import Files; print(Files.of_home().key)"


def test_users_do_not_share(tmp_path):
    """Of one home: the names of their servers' files differ."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to become another user")
    for directory in (tmp_path, *tmp_path.parents):
        if directory.is_relative_to(tempfile.gettempdir()) and directory != Path(
            tempfile.gettempdir()
        ):
            directory.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)

    def key(*prefix):
        return subprocess.run(
            [*prefix, sys.executable, "-c", KEY],
            env={**os.environ, "PREFECT_HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    other = key("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert len({key(), key(), other}) == 2


def test_a_home_where_no_directory_can_be_made_has_a_server_that_is_not_shared(home, client):
    (home / f"hopsml-server-{os.getuid()}").write_text("in the way")
    before = set(Path(tempfile.gettempdir()).glob("hopsml-server-unshared-*"))
    one, other = client(), client()
    assert one.url() != other.url()
    servers = [child for c in (one, other) for child in psutil.Process(c.process.pid).children()]
    assert len(servers) == 2
    one.leave()
    other.leave()
    for server in servers:
        wait_until(lambda pid=server.pid: gone(pid), 60, "the end of the server")
    assert set(Path(tempfile.gettempdir()).glob("hopsml-server-unshared-*")) <= before


def test_a_server_whose_home_is_removed_ends_with_its_last_client(home, client):
    one = client(HOPSML_SERVER_IDLE_SECONDS="600")
    one.url()
    (server,) = registered(home)
    shutil.rmtree(home)
    time.sleep(2)
    assert server.is_running()
    one.leave()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")


EVENTS = """
import uuid
from prefect.events import emit_event
from hopsml_flows.server.embedded import embedded_server

with embedded_server():
    for number in range(2000):
        emit_event(event="test.told", resource={"prefect.resource.id": f"test.{number}"})
"""


def test_a_server_takes_in_what_it_was_told_before_it_ends(home):
    done = subprocess.run(
        [sys.executable, "-c", EVENTS],
        env={**os.environ, "PREFECT_HOME": str(home), IDLE_VARIABLE: "0"},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert registrations(home) == []
    with sqlite3.connect(home / "prefect.db") as database:
        (count,) = database.execute(
            "SELECT count(*) FROM events WHERE event = 'test.told'"
        ).fetchone()
    assert count == 2000


def test_a_server_stays_while_it_is_connected_to_what_sends_events(home, client):
    """It has not read all of them: what a process sent before it left is still to come."""
    one = client(HOPSML_SERVER_IDLE_SECONDS="0")
    url = one.url()
    (server,) = registered(home)

    async def send():
        async with PrefectEventsClient(url) as events:
            one.leave_soon()
            await asyncio.sleep(3)
            assert server.is_running()
            await events.emit(Event(event="test.late", resource={"prefect.resource.id": "test"}))

    asyncio.run(send())
    one.left()
    wait_until(lambda: gone(server.pid), 60, "the end of the server")
    with sqlite3.connect(home / "prefect.db") as database:
        (count,) = database.execute(
            "SELECT count(*) FROM events WHERE event = 'test.late'"
        ).fetchone()
    assert count == 1


@pytest.mark.parametrize("text", ["-1", "soon", "inf", "nan"])
def test_an_idle_time_that_is_none_is_refused_before_anything_starts(here, monkeypatch, text):
    monkeypatch.setenv(IDLE_VARIABLE, text)
    with (
        pytest.raises(InvalidArgumentError, match=rf"{IDLE_VARIABLE}.*0 or more; got .{text}"),
        embedded_server(),
    ):
        pass
    assert [entry.name for entry in here.iterdir()] == ["prefect.db"]


def test_a_start_that_is_given_up_leaves_no_process(here):
    with ServerStart():
        children = []

        def has_begun():  # a child is seen as a copy of this process until it has its program
            program = "hopsml_flows.server.embedded_program"
            children[:] = running(program, psutil.Process().children())
            return bool(children)

        wait_until(has_begun, 60, "the server's process")
    assert all(gone(child.pid) for child in children)
    assert registrations(here) == []
