"""A process that died says why: in the result, its table, the trial's log and in Prefect."""

from __future__ import annotations

import signal
from pathlib import Path

import distributed
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import nanny
from hopsml_flows.experiment import ClusterConfig
from tests.servers.prefect import task_runs

ONE = ClusterConfig(kind="local", n_workers=1)
SECONDS = 0.3
"""What each trial trains before its end: its time is at least so long."""


def dies(how):
    """Train for a moment, and end the process."""
    import ctypes
    import os
    import signal
    import time

    time.sleep(0.3)
    print("said before its end", flush=True)
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "exit":
        os._exit(3)
    elif how == "its worker":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1000)
    else:
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(1000)


EXPECTED = {
    "segfault": ("signal 11 (SIGSEGV): a fault in native code", "end of the trial's log"),
    "abort": ("signal 6 (SIGABRT): native code gave up", "end of the trial's log"),
    "exit": ("exited with code 3, by os._exit", ""),
    "SIGKILL": ("signal 9 (SIGKILL): the system sends it when memory runs out",
                "give trials more memory, or fewer workers"),
    "SIGTERM": ("signal 15 (SIGTERM): something outside", "batch system's limit"),
    "SIGXCPU": ("signal 24 (SIGXCPU): it used up its limit of CPU time", ""),
    "its worker": ("the worker process tcp://", "it was ended by signal 9 (SIGKILL)"),
}  # fmt: skip


def log_of(result, trial, name="output.log"):
    return (Path(result.path) / trial.directory / name).read_text()


def check_reasons(result):
    runs = {run["name"]: run for run in task_runs(result.flow_run_id, len(result.trials))}
    table = result.to_pandas().set_index("params.how")
    for trial in result.trials:
        how = trial.params["how"]
        for part in EXPECTED[how]:
            assert part in str(trial.failure), how
            assert part in runs[trial.name]["state"]["message"], how
            assert part in table["error"][how], how
            if how != "its worker":  # whose successor does not know the trial
                assert part in log_of(result, trial), how
        assert runs[trial.name]["state_type"] == "CRASHED"
        assert trial.duration >= SECONDS, how
        assert table["seconds"][how] >= SECONDS


@pytest.mark.parametrize("isolation", ["worker", pytest.param("process", marks=pytest.mark.slow)])
def test_each_end_of_a_trials_process_is_named_with_what_to_do(prefect_server, project, isolation):
    result = _failed(dies, project, ONE, isolation)
    check_reasons(result)
    for trial in result.trials:
        log = log_of(result, trial)
        assert "said before its end" in log
        if trial.params["how"] in ("segfault", "abort"):
            assert "Fatal Python error" in log
            assert "in dies" in log  # the training function's line


def _failed(train, project, cluster, isolation="worker", ways=EXPECTED, **options):
    """The result of an experiment whose trials all fail."""
    from hopsml_flows.errors import ExperimentFailedError

    with pytest.raises(ExperimentFailedError) as caught:
        experiment.grid_search(
            train, {"how": list(ways)}, project=str(project), cluster=cluster, retries=0,
            isolation=isolation, progress=False, **options,
        )  # fmt: skip
    return caught.value.result


def test_on_a_running_cluster_the_nanny_is_asked(prefect_server, project, monkeypatch):
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50,
        memory_limit="2GiB",
    ) as cluster:  # fmt: skip
        # As if a worker of an earlier cluster, which this process had started, had its address.
        for worker in cluster.scheduler.workers:
            monkeypatch.setitem(nanny._exit_codes, worker, -signal.SIGTERM)
        result = _failed(
            dies, project, cluster.scheduler_address, ways=["segfault", "SIGKILL", "its worker"]
        )
    check_reasons(result)
    assert all(
        "memory_limit is 2,048 MiB" in str(trial.failure)
        for trial in result.trials
        if "SIGKILL" in str(trial.failure)
    )


def test_a_worker_that_dasks_nanny_ended_for_its_memory_says_so(prefect_server, project):
    """As where other work on the user's cluster filled the worker."""

    def train(how):
        import time
        from contextlib import suppress

        from distributed import Client

        with Client(address, set_as_default=False) as client, suppress(Exception):
            client.run(fill)
        time.sleep(1000)

    def fill():
        import builtins
        import time

        builtins.hopsml_test_kept = []
        for _ in range(40):
            builtins.hopsml_test_kept.append(b"x" * (20 << 20))
            time.sleep(0.05)

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50,
        memory_limit="500MiB",
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        result = _failed(train, project, address, ways=["filled"])
    (trial,) = result.trials
    assert "Dask's nanny ended it: it held" in str(trial.failure)
    assert "of its memory limit (500 MiB)" in str(trial.failure)
    assert "give trials more memory, or fewer workers" in str(trial.failure)
    assert trial.duration > 0


def test_training_code_may_use_faulthandler_itself(prefect_server, project):
    def train(how):
        import ctypes
        import faulthandler
        import signal
        from pathlib import Path

        if how == "its own file":
            with Path(own).open("w") as file:
                faulthandler.enable(file=file)
                ctypes.string_at(0)
        if how == "switched off":
            faulthandler.disable()
        if how == "a signal":
            faulthandler.register(signal.SIGUSR1, file=2)
            faulthandler.dump_traceback_later(1000)
        if how == "after that":
            assert faulthandler.is_enabled()
            assert not faulthandler.unregister(signal.SIGUSR1)  # another trial's
            ctypes.string_at(0)
        return 1

    own = str(project.parent / "own")
    ways = ["switched off", "a signal", "after that", "its own file"]
    result = experiment.grid_search(
        train, {"how": ways}, project=str(project), cluster=ONE, retries=0, progress=False,
    )  # fmt: skip
    assert [trial.succeeded for trial in result.trials] == [True, True, False, False]
    assert "SIGSEGV" in str(result.trials[2].failure)
    assert "Fatal Python error: Segmentation fault" in log_of(result, result.trials[2])
    assert "Fatal Python error: Segmentation fault" in Path(own).read_text()


def test_a_process_of_a_distributed_trial_says_why_it_died(prefect_server, project):
    def train(how):
        from hopsml_flows import distributed as group

        if group.is_chief():
            import time

            time.sleep(1000)
        dies(how)

    result = _failed(
        train, project, ClusterConfig(kind="local", n_workers=2), ways=["segfault", "SIGKILL"],
        processes_per_trial=2,
    )  # fmt: skip
    for trial in result.trials:
        for part in EXPECTED[trial.params["how"]]:
            assert part in str(trial.failure)
        assert trial.duration >= SECONDS
    logs = [log.read_text() for log in Path(result.path).rglob("*.log")]
    assert any("Fatal Python error: Segmentation fault" in log for log in logs)


def test_a_process_of_a_distributed_trial_that_holds_too_much_is_ended(prefect_server, project):
    def train(how):
        import time

        from hopsml_flows import distributed as group

        blocks = []
        while not group.is_chief():
            blocks.append(b"x" * (20 << 20))
            time.sleep(0.05)
        time.sleep(1000)

    result = _failed(
        train, project, ClusterConfig(kind="local", n_workers=2, memory_limit="500MiB"),
        ways=["memory"], processes_per_trial=2,
    )  # fmt: skip
    (trial,) = result.trials
    assert "together more than 95% of memory_limit (500 MiB)" in str(trial.failure)
    assert "give trials more memory, or fewer workers" in str(trial.failure)
