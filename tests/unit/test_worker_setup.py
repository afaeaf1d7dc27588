from __future__ import annotations

import inspect
import logging
import os

import distributed.worker
import pytest

from hopsml_flows.cluster.worker_plugins import QuietHeartbeats, first_gpu_only


class Worker:
    """The attributes that are looked at."""

    def __init__(self, *plugins, nanny="tcp://nanny"):
        self.plugins = dict(enumerate(plugins))
        self.nanny = nanny


def plugin(module):
    return type("Plugin", (), {"__module__": module})()


@pytest.mark.parametrize(
    ("visible", "left"),
    [("1,2,0", "1"), ("0", "0"), ("GPU-aa,GPU-bb", "GPU-aa"), ("", "")],
)
def test_a_dask_cuda_worker_shows_the_frameworks_its_own_gpu_only(monkeypatch, visible, left):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with first_gpu_only(Worker(plugin("distributed.plugin"), plugin("dask_cuda.plugins"))):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == left
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible  # the worker may be a user's


def test_other_workers_keep_what_they_were_given(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2,0")
    with first_gpu_only(Worker(plugin("distributed.plugin"))):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,2,0"


@pytest.mark.parametrize("nanny", ["tcp://nanny", None])
def test_a_worker_of_the_drivers_machine_does_not_print_that_its_scheduler_is_gone(
    caplog, monkeypatch, nanny
):
    message = "Failed to communicate with scheduler during heartbeat."
    assert f'logger.exception("{message}")' in inspect.getsource(distributed.worker.Worker)
    logger = logging.getLogger("distributed.worker")
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "propagate", True)
    QuietHeartbeats().setup(Worker(nanny=nanny))
    with caplog.at_level(logging.ERROR):
        logger.error(message)
        logger.error("another message")
    expected = ["another message"] if nanny else [message, "another message"]
    assert [record.message for record in caplog.records] == expected
