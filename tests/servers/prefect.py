"""A Prefect server with all its services, a process worker, and flows that they run.

What ``prefect server start`` and ``prefect worker start`` run, on a database of its own. The
services look every second, so that schedules and cancellations are acted on at once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from prefect.settings import PREFECT_API_URL

from tests.servers.homes import used_home
from tests.servers.processes import Process, free_ports
from tests.waiting import eventually, wait_until

START_SECONDS = 120
"""How long a server or a worker may take to start; a loaded machine is slow."""

POOL = "hopsml-tests"
"""The work pool of the process worker."""

_SERVICES = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    # For a schedule of seconds it would write a hundred runs again each time it looks.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "3",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}


class PrefectServer:
    """A Prefect server on a port of the loopback address; it serves the UI, too.

    Args:
        directory: Its home, with the database and the logs; must exist.
        **settings: Environment variables of the server alone.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = used_home(directory)
        (port,) = free_ports(1)
        self.ui_url = f"http://127.0.0.1:{port}"
        self.api_url = f"{self.ui_url}/api"
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port"]
        self._process = Process(
            [sys.executable, "-m", *command, str(port)],
            directory / "server.log",
            self.environment(
                **{
                    "PREFECT_HOME": str(directory),
                    "PREFECT_SERVER_UI_API_URL": self.api_url,
                    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
                    **settings,
                }
            ),
        )

    def wait(self) -> PrefectServer:
        """Wait until it answers."""
        wait_until(self._answers, START_SECONDS, f"start of {self._process.log}")
        return self

    def start_worker(self, pool: str = POOL) -> Process:
        """Start a process worker; the work pool is made where there is none.

        Args:
            pool: The work pool.
        """
        home = self.directory / f"worker-{pool}"
        home.mkdir()
        command = f"prefect worker start --type process --pool {pool} --name {pool}".split()
        worker = self.run(
            [sys.executable, "-m", *command], home / "worker.log", PREFECT_HOME=str(home)
        )
        wait_until(lambda: self._has_worker(pool), START_SECONDS, f"start of {worker.log}")
        return worker

    def run(self, command: list[str], log: Path, **environment: str) -> Process:
        """Start a process that uses this server, such as a script that serves deployments.

        Args:
            command: Its command line.
            log: Where its output goes; it works in that directory.
            environment: What to add to its environment.
        """
        return Process(command, log, self.environment(PREFECT_API_URL=self.api_url, **environment))

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def _answers(self) -> bool:
        assert self._process.running, self._process.log.read_text()
        return answers(self.api_url)

    def _has_worker(self, pool: str) -> bool:
        found = _asked("POST", f"{self.api_url}/work_pools/{pool}/workers/filter", json={})
        return found.status_code == httpx.codes.OK and any(
            worker["status"] == "ONLINE" for worker in found.json()
        )

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of its processes, and of those that use it.

        Args:
            more: What to add.
        """
        return {**os.environ, **_SERVICES, **more}


def answers(url: str) -> bool:
    """Whether a server answers.

    Args:
        url: Its API.
    """
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


class Client(httpx.Client):
    """Asks again while the server's database is busy, as Prefect's own client does.

    Args:
        url: The server's API; the one that is configured where there is none.
    """

    def __init__(self, url: str | None = None) -> None:
        super().__init__(base_url=url or PREFECT_API_URL.value() or "", timeout=60)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        for _ in range(30):
            answer = super().send(request, **options)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        return answer

    def found(self, what: str, body: Mapping[str, object]) -> Any:
        """Entities of a kind, such as ``"flow_runs"``, by a filter."""
        return self.post(f"/{what}/filter", json=body).raise_for_status().json()


def task_runs(flow_run_id: object, count: int, url: str | None = None) -> list[dict[str, Any]]:
    """Task runs of a flow run, once so many are there and final, or after a minute.

    A driver leaves it to a slow server to record what it was told.

    Args:
        flow_run_id: The flow run.
        count: How many at least.
        url: The server's API; the one that is configured where there is none.
    """
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

    def read() -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = []
        page: Any = True
        while page:
            body = {"flow_runs": {"id": {"any_": [str(flow_run_id)]}}, "offset": len(runs)}
            page = client.found("task_runs", {**body, "sort": "ID_DESC"})
            runs += page
        return runs

    def settled(runs: list[dict[str, Any]]) -> bool:
        # One that came between two pages shows another twice.
        whole = len({run["id"] for run in runs}) == len(runs) >= count
        return whole and {run["state_type"] for run in runs} <= final

    with Client(url) as client:
        return eventually(read, settled)


def artifacts(flow_run_id: object, good: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Data of a flow run's artifacts by their keys, once they are good, or after a minute.

    Args:
        flow_run_id: The flow run.
        good: Whether all is there; it is asked again where it finds no such key.
    """
    body = {"artifacts": {"flow_run_id": {"any_": [str(flow_run_id)]}}, "sort": "CREATED_DESC"}

    def there(shown: dict[str, Any]) -> object:
        try:
            return good(shown)
        except KeyError:
            return False

    with Client() as client:
        return eventually(
            lambda: {entry["key"]: entry["data"] for entry in client.found("artifacts", body)},
            there,
        )


def _asked(method: str, url: str, **options: Any) -> httpx.Response:
    with Client() as client:
        return client.request(method, url, **options)


def flow_run(server: PrefectServer, flow_run_id: str) -> Mapping[str, object]:
    """A flow run as the server has it."""
    found: Mapping[str, object] = _asked("GET", f"{server.api_url}/flow_runs/{flow_run_id}").json()
    return found


def wait_for_state(
    server: PrefectServer, flow_run_id: str, *states: str, seconds: float = 120
) -> Mapping[str, object]:
    """Wait until a flow run is in one of the states, such as ``"COMPLETED"``.

    Args:
        server: The server.
        flow_run_id: The flow run.
        states: Types of states.
        seconds: How long at most.
    """
    run: Mapping[str, object] = {}

    def there() -> bool:
        nonlocal run
        run = flow_run(server, flow_run_id)
        return run["state_type"] in states

    try:
        wait_until(there, seconds, f"one of {states}")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; it is {run.get('state')}") from None
    return run


def set_state(server: PrefectServer, flow_run_id: str, state: Mapping[str, object]) -> None:
    """Ask for a state of a flow run, as the UI's buttons do.

    Args:
        server: The server.
        flow_run_id: The flow run.
        state: :data:`CANCEL` or :data:`RETRY`.
    """
    answer = _asked(
        "POST", f"{server.api_url}/flow_runs/{flow_run_id}/set_state", json={"state": state}
    )
    answer.raise_for_status()
    assert answer.json()["status"] == "ACCEPT", answer.text


CANCEL = {"type": "CANCELLING", "name": "Cancelling"}
"""What the button Cancel of the UI asks for."""

RETRY = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
"""What the button Retry asks for."""


def deployed(server: PrefectServer, verb: str, directory: Path, pool: str = POOL) -> str:
    """Deploy a verb to a work pool.

    Args:
        server: The server.
        verb: Name of the verb.
        directory: Where its runs work.
        pool: The work pool.

    Returns:
        The deployment's identifier.
    """
    name = verb.replace("_", "-")
    flow = _asked("POST", f"{server.api_url}/flows/", json={"name": name}).json()
    answer = _asked(
        "POST",
        f"{server.api_url}/deployments/",
        json={
            "flow_id": flow["id"],
            "name": f"{verb}-{directory.name}",
            "entrypoint": f"hopsml_flows.experiment.{verb}",
            "path": str(directory),
            "work_pool_name": pool,
            "job_variables": {"working_dir": str(directory)},
            "enforce_parameter_schema": False,
        },
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def started(server: PrefectServer, deployment: str, parameters: Mapping[str, object]) -> str:
    """Start a run of a deployment, as the run form does.

    Args:
        server: The server.
        deployment: The deployment's identifier.
        parameters: Parameters of the flow.

    Returns:
        The flow run's identifier.
    """
    answer = _asked(
        "POST",
        f"{server.api_url}/deployments/{deployment}/create_flow_run",
        json={"parameters": dict(parameters), "state": {"type": "SCHEDULED"}},
    )
    answer.raise_for_status()
    return str(answer.json()["id"])
