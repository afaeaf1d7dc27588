from __future__ import annotations

import asyncio
from functools import partial

import pytest
from prefect import task

from hopsml_flows import experiment
from tests.logs import without_log

from .training import product


@task
def as_task(x):
    return x + 1


class Model:
    def __init__(self, offset):
        self.offset = offset

    def __call__(self, x):
        return x + self.offset

    def train(self, x):
        return x - self.offset


async def asynchronous(x):
    await asyncio.sleep(0.01)
    return x * 10


def open_ended(**params):
    return sum(params.values())


def keyword_only(*, x, scale=3):
    return x * scale


def positional_only(x, /, factor=5):
    return x * factor


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (product, 4),
        (partial(product, y=7), 14),
        (as_task, 3),
        (Model(100), 102),
        (Model(100).train, -98),
        (asynchronous, 20),
        (partial(asynchronous), 20),
        (open_ended, 2),
        (keyword_only, 6),
        (positional_only, 10),
        (lambda x: x**3, 8),
        ("tests.integration.training:product", 4),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_whatever_can_be_called_by_name_is_a_training_function(options, train, expected):
    result = experiment.grid_search(train, {"x": [2]}, **options)
    assert result.best_metric == expected


def test_a_function_in_a_file_by_its_path(options, tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("FACTOR = 6\n")
    (tmp_path / "mine.py").write_text(
        "import neighbour_of_mine\n"
        "def train(x):\n"
        "    print('in', __name__)\n"
        "    return x * neighbour_of_mine.FACTOR\n"
        "if __name__ == '__main__':\n"
        "    raise SystemExit('not to be run')\n"
    )
    result = experiment.grid_search(f"{tmp_path}/mine.py:train", {"x": [2]}, **options)
    assert result.best_metric == 12


def test_a_module_that_only_the_driver_has_works_on_every_worker(options, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("SHIFT = 4\ndef train(x):\n    return x + SHIFT\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    result = experiment.grid_search(only_here.train, {"x": [2]}, **options)
    assert result.best_metric == 6


def test_numpy_numbers_are_numbers(options):
    def train(x):
        import numpy as np

        return {"metric": np.float32(x) / 2, "counts": np.arange(3), "flag": np.bool_(x > 1)}

    result = experiment.grid_search(train, {"x": [3]}, **options)
    assert without_log(result.outputs) == {"metric": 1.5, "counts": [0, 1, 2], "flag": True}
