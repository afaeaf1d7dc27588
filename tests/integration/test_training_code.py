"""What training functions do, and must be able to do."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError, InvalidProjectError, PrefectServerError
from hopsml_flows.experiment import ClusterConfig
from tests.logs import printed
from tests.servers.processes import gone
from tests.waiting import wait_until

from .training import product

TWO = ClusterConfig(kind="local", n_workers=2)


def _log(result, trial):
    return (Path(result.path) / trial.directory / "output.log").read_text()


def test_a_trial_may_use_processes_of_its_own(prefect_server, project):
    def train(method):
        import multiprocessing

        with multiprocessing.get_context(method).Pool(2) as pool:
            return sum(pool.map(abs, [-1, -2, -3]))

    result = experiment.grid_search(
        train,
        {"method": ["fork", "spawn", "forkserver"]},
        project=str(project),
        cluster=TWO,
        progress=False,
    )
    assert [trial.metric for trial in result.trials] == [6.0, 6.0, 6.0]


def test_what_a_dead_worker_forked_is_ended(prefect_server, project, tmp_path):
    def train(x):
        import os
        import time

        if x == 2:
            return x
        child = os.fork()
        if child == 0:
            time.sleep(1000)
        Path(where).write_text(str(child))
        os._exit(1)
        return None

    where = str(tmp_path / "child")
    result = experiment.grid_search(
        train, {"x": [1, 2]}, retries=0, project=str(project), cluster=TWO, progress=False
    )
    assert [trial.state.value for trial in result.trials] == ["FAILED", "FINISHED"]
    pid = int(Path(where).read_text())
    wait_until(lambda: gone(pid), 30, "the end of what was forked")  # it would sleep 1000 s


def test_an_interrupt_or_a_cancelled_coroutine_is_a_failure_with_its_traceback(options):
    async def train(x):
        if x == 1:
            raise KeyboardInterrupt
        if x == 2:
            raise asyncio.CancelledError("by itself")
        return x

    result = experiment.grid_search(train, {"x": [1, 2, 3]}, **options)
    first, second, third = result.trials
    assert [trial.attempt for trial in result.trials] == [1, 1, 1]
    assert (first.failure.kind, second.failure.kind) == ("KeyboardInterrupt", "CancelledError")
    assert "raise KeyboardInterrupt" in _log(result, first)
    assert 'raise asyncio.CancelledError("by itself")' in _log(result, second)
    assert third.metric == 3


def test_a_thread_that_a_trial_left_behind_does_not_print_into_the_next_one(
    prefect_server, project, tmp_path
):
    where = str(tmp_path)

    def train(x):
        import threading
        import time
        from pathlib import Path

        def until(name):
            end = time.monotonic() + 60
            while not Path(where, name).exists():
                assert time.monotonic() < end, name
                time.sleep(0.02)

        def late():
            if x == 1:
                until("second began")
            print("late from", x)
            Path(where, f"late {x}").touch()

        if x == 2:
            Path(where, "second began").touch()
            until("late 1")
        threading.Thread(target=late, daemon=True).start()
        if x == 2:
            until("late 2")
        return x

    result = experiment.grid_search(
        train,
        {"x": [1, 2]},
        project=str(project),
        cluster=ClusterConfig(kind="local", n_workers=1),
        progress=False,
    )
    assert "late" not in _log(result, result.trials[0])
    assert printed(_log(result, result.trials[1])) == ["late from 2"]


def test_logs_hold_nothing_of_prefects_own_traffic(options):
    def train(x):
        import logging
        import time

        time.sleep(0.5)
        logging.getLogger("mine").info("mine %s", x)
        return x

    result = experiment.grid_search(train, {"x": [1, 2, 3, 4]}, **options)
    for trial in result.trials:
        assert printed(_log(result, trial)) == [f"INFO mine: mine {trial.params['x']}"]


def test_files_in_the_working_directory_stay_as_they_are(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plot.png").write_text("from an earlier run")

    def train(x):
        import time
        from pathlib import Path

        Path("plot.png").write_text(str(x))
        time.sleep(0.2)
        return {"metric": x, "plot": "plot.png"}

    result = experiment.grid_search(train, {"x": [1, 2, 3, 4]}, **options)
    assert (tmp_path / "plot.png").read_text() == "from an earlier run"
    attached = [(Path(options["project"]) / t.outputs["plot"]).read_text() for t in result.trials]
    assert attached == ["1", "2", "3", "4"]


def test_several_runs_of_launch_have_no_best_one(options, experiments):
    result = experiment.launch(
        lambda loss: {"loss": loss}, {"loss": [0.1, 5.0]}, metric_key="loss", **options
    )
    assert result.best is None
    record = experiments()[result.id]
    assert (record["metric"], record["best_trial"], record["trials_succeeded"]) == (None, None, 2)


def test_an_experiment_runs_inside_an_event_loop(options):
    async def main():
        return experiment.grid_search(product, {"x": [1, 2]}, **options)

    assert asyncio.run(main()).best_metric == 4


def test_a_server_that_is_not_there_is_an_error_that_says_so(project):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    began = time.monotonic()
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(
            PrefectServerError, match=r"http://127\.0\.0\.1:9/api.*unset PREFECT_API_URL"
        ),
    ):
        experiment.grid_search(product, {"x": [1]}, project=str(project))
    assert time.monotonic() - began < 60
    assert not project.exists()


@pytest.mark.parametrize("url", ["memory://x", "https://host/project", "/proc/project"])
def test_storage_that_cannot_hold_a_project_is_refused_before_anything_starts(url):
    children = {child.pid for child in psutil.Process().children()}
    with pytest.raises(InvalidProjectError, match="project"):
        experiment.grid_search(product, {"x": [1]}, project=url)
    assert {child.pid for child in psutil.Process().children()} <= children


def test_a_project_path_may_hold_spaces_and_letters_of_any_language(options, tmp_path):
    path = tmp_path / "Forschung für Ärzte 研究"
    result = experiment.grid_search(product, {"x": [1]}, **{**options, "project": str(path)})
    assert (path / "Experiments" / result.id / "0001-x=1" / ".outputs.json").exists()


def test_an_experiment_that_fails_carries_its_result(options):
    with pytest.raises(ExperimentFailedError) as caught:
        experiment.grid_search(lambda x: None, {"x": [1]}, **options)
    assert len(caught.value.result.failed) == 1
