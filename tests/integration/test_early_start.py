"""What starts beside the checks of a call, and what is left of it when a check fails."""

from __future__ import annotations

import threading
from contextlib import suppress

import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidArgumentError, InvalidProjectError, PrefectServerError
from tests.servers.processes import free_ports
from tests.waiting import wait_until
from tests.workers import fork_servers, workers_of


def nothing(x):
    return x


def others():
    """Processes of this process but its fork server and multiprocessing's tracker."""
    servers, found = fork_servers(), []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended, maybe without having been waited for
            if child not in servers and "resource_tracker" not in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_bad_arguments_start_nothing(project, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *a, **k: started.append(a))
    before = set(threading.enumerate())
    with pytest.raises(InvalidArgumentError):
        experiment.grid_search(nothing, {"x": []}, project=project, cluster="local")
    assert started == []
    assert set(threading.enumerate()) <= before


def test_a_project_that_cannot_be_written_leaves_no_process(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(InvalidProjectError):
        experiment.grid_search(nothing, {"x": [1]}, project=str(file / "project"), cluster="local")
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_server_that_does_not_answer_leaves_no_worker(project):
    [port] = free_ports(1)
    before, workers = others(), workers_of()
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}),
        pytest.raises(PrefectServerError),
    ):
        experiment.grid_search(nothing, {"x": [1]}, project=project, cluster="local")
    wait_until(lambda: others() == before, 30, "the workers' end")
    assert workers_of() == workers


def test_the_process_of_the_first_trial_starts_before_the_trial(prefect_server, project):
    def born(x):
        import psutil

        return {"metric": x, "born": psutil.Process().create_time()}

    first = experiment.grid_search(born, {"x": [1, 2]}, project=project, cluster="local")
    [server] = fork_servers()
    for trial in first.trials:
        assert trial.outputs["born"] < trial.started
    second = experiment.grid_search(born, {"x": [1]}, project=project, cluster="local")
    assert fork_servers() == [server]
    assert second.trials[0].outputs["born"] > server.create_time()
