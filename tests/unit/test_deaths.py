"""How the end of a process is told, and what of Dask it is taken from."""

from __future__ import annotations

import inspect
import signal

import distributed
import pytest
from distributed import nanny, worker_memory

from hopsml_flows.cluster import deaths
from hopsml_flows.cluster.nanny import OwnNanny
from hopsml_flows.execution.process.ending import described_end


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (0, ["exited with code 0", "before its work was done"]),
        (3, ["exited with code 3, by os._exit"]),
        (137, ["exited with code 137", "signal 9 (SIGKILL)"]),
        (-9, ["signal 9 (SIGKILL)", "memory runs out", "give trials more memory"]),
        (-11, ["signal 11 (SIGSEGV)", "native code"]),
        (-7, ["signal 7 (SIGBUS)", "/dev/shm"]),
        (-15, ["signal 15 (SIGTERM)", "outside"]),
        (-10, ["signal 10 (SIGUSR1)"]),
        (-200, ["signal 200"]),
    ],
)
def test_an_end_is_named_with_what_it_means(code, parts):
    told = described_end(code)
    assert all(part in told for part in parts)
    assert "stack" not in told


def test_what_is_known_of_memory_and_the_stack_is_said_where_it_helps():
    assert "; it held 5 MiB; give trials" in described_end(-9, memory="it held 5 MiB")
    assert "stack is at the end of the trial's log" in described_end(-signal.SIGSEGV, stack=True)
    assert "stack" not in described_end(-signal.SIGTERM, stack=True)
    assert "stack" not in described_end(3, stack=True)


def test_the_words_of_dasks_nanny_are_those_we_know():
    told = nanny.WorkerProcess._death_message
    assert deaths._ENDED.search(told(None, 12, -9)).groupdict() == {
        "pid": "12", "signal": "9", "status": None,
    }  # fmt: skip
    assert deaths._ENDED.search(told(None, 12, 3))["status"] == "3"
    unknown = deaths._ENDED.search(told(None, 12, 255))
    assert (unknown["signal"], unknown["status"]) == (None, None)


def test_dasks_nanny_tells_of_a_worker_that_holds_too_much_as_we_read_it():
    source = inspect.getsource(worker_memory.NannyMemoryManager)
    assert deaths._MEMORY_TOPIC in source
    assert all(f'"{key}"' in source for key in ("worker", "pid", "rss"))


def test_a_nanny_is_told_of_its_workers_end_as_we_listen_to_it():
    assert "on_exit=self._on_worker_exit_sync" in inspect.getsource(distributed.Nanny.instantiate)
    ours = inspect.signature(OwnNanny._on_worker_exit_sync)
    assert list(ours.parameters) == list(
        inspect.signature(distributed.Nanny._on_worker_exit_sync).parameters
    )
