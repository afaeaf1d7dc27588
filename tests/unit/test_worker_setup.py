from __future__ import annotations

import os

import pytest

from hopsml_flows.cluster.worker_plugins import first_gpu_only


class Worker:
    """The one attribute that is looked at."""

    def __init__(self, *plugins):
        self.plugins = dict(enumerate(plugins))


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
