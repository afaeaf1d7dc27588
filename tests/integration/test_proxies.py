"""A proxy variable without NO_PROXY: what is on the loopback address is reached all the same."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager

import pytest

from tests.servers import s3

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

# A board whose data server is asked by gRPC, storage by aiohttp or requests, Prefect by httpx and
# websockets.
RUN = """
import json, os
from hopsml_flows import experiment, tensorboard

def train(x):
    print("in the trial")
    tensorboard.logdir()
    return {"metric": x, "no_proxy": os.environ["NO_PROXY"]}

if __name__ == "__main__":
    result = experiment.grid_search(
        train, {"x": [1, 2]}, name="proxied", progress=False, tensorboard=True,
        cluster=experiment.ClusterConfig(kind="local", n_workers=1),
    )
    print("RESULT", json.dumps({
        "best": result.best_metric,
        "flow_run": result.flow_run_id,
        "no_proxy": result.best.outputs["no_proxy"],
    }))
"""


@contextmanager
def recording_proxy():
    """A listener in place of a proxy; yields its URL and the first line of whatever came."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def listen():
        while True:
            connection, _ = listener.accept()
            with connection:
                if done.is_set():
                    return
                connection.settimeout(5)
                try:
                    asked.append(connection.recv(4096).split(b"\r\n")[0].decode(errors="replace"))
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    asked.append("nothing")

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        done.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()
        listener.close()


def told(done):
    return json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)[1])


def proxied(url):
    """The environment of a program, without any exception."""
    return {**dict.fromkeys(VARIABLES, url), "NO_PROXY": "", "no_proxy": ""}


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_an_experiment_runs_where_the_proxy_is_away(run_script, closed_port):
    done = run_script(RUN, **proxied(closed_port))
    assert told(done)["best"] == 2
    assert told(done)["no_proxy"].endswith("localhost,127.0.0.1,::1")
    assert "Unable to connect" not in done.stderr


@pytest.mark.parametrize(
    "storage",
    [
        "local",
        pytest.param("s3", marks=pytest.mark.slow),
        pytest.param("webhdfs", marks=pytest.mark.slow),
    ],
)
def test_a_proxy_is_asked_for_nothing_on_the_loopback_address(
    run_script, request, storage, tmp_path
):
    url, variables = str(tmp_path / "project"), {}
    if storage == "s3":
        server = request.getfixturevalue("s3_server")
        url, variables = s3.new_url(), server.environment
    elif storage == "webhdfs":
        url = request.getfixturevalue("hdfs_server").url("webhdfs")
    with recording_proxy() as (proxy, asked):
        done = run_script(RUN, **{**proxied(proxy), **variables, "HOPSML_PROJECT": url})
    assert told(done)["best"] == 2
    assert asked == []


def test_the_listener_would_have_been_asked(run_script):
    """Without the exception this very listener is."""
    with recording_proxy() as (proxy, asked):
        run_script("import httpx; httpx.get('http://127.0.0.1:1/')", **proxied(proxy))
    assert asked == ["GET http://127.0.0.1:1/ HTTP/1.1"]


def test_a_socks_proxy_is_asked_for_nothing_either(run_script, closed_port):
    done = run_script(RUN, **proxied(closed_port.replace("http", "socks5")))
    assert told(done)["best"] == 2


def test_a_server_that_the_proxy_should_have_reached_names_the_proxy(run_script, closed_port):
    done = run_script(
        RUN,
        check=False,
        PREFECT_API_URL="http://prefect.invalid:4200/api",
        **proxied(closed_port),
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "does not answer: http://prefect.invalid:4200/api" in last
    assert "through the proxy of" in last
    assert "NO_PROXY" in last


def test_a_board_in_the_foreground_asks_its_data_server_directly(tmp_path, run_script):
    """TensorBoard reads event files by a server of its own, which it asks by gRPC."""
    code = """
    import json, os, subprocess, sys, time, urllib.request
    from hopsml_flows import experiment

    def train(x):
        from hopsml_flows import reporter
        reporter.broadcast(float(x), 1)
        return x

    if __name__ == "__main__":
        result = experiment.grid_search(
            train, {"x": [1]}, name="board", progress=False,
            cluster=experiment.ClusterConfig(kind="local", n_workers=1),
        )
        arguments = ["tensorboard", result.id, "--port", "0"]
        command = f"from hopsml_flows.cli import main; main({arguments!r})"
        shown = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True)
        try:
            url = shown.stdout.readline().split("http://")[1].split()[0].rstrip("/")
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            runs, deadline = [], time.monotonic() + 90
            while not runs and time.monotonic() < deadline:
                with direct.open(f"http://{url}/data/runs", timeout=60) as answer:
                    runs = json.loads(answer.read())
                time.sleep(0.2)
        finally:
            shown.terminate()
            shown.wait(60)
        print("RESULT", json.dumps({"runs": runs}))
    """
    with recording_proxy() as (proxy, asked):
        done = run_script(code, **proxied(proxy))
    assert told(done)["runs"], done.stderr
    assert asked == []
