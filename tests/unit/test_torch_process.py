"""A training function in two PyTorch processes, as Maggy's configuration has it called."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="PyTorch is not among the dependencies"
    ),
]

PROGRAM = """
import json, sys
from datetime import timedelta

import torch
import torch.utils.data as data
from torch.utils.data import DataLoader
from torch.utils.data import DataLoader as Loader

from hopsml_flows.maggy.torch_process import TorchProcess

rank, meeting_place = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{meeting_place}", rank=rank, world_size=2,
    timeout=timedelta(seconds=60),
)
ROWS = list(range(16))


class Own(DataLoader):
    pass


def model(*_):
    return torch.nn.Linear(1, 1)


def run(train):
    return TorchProcess(train, given={"module": model}, hyperparameters=(), key="Metric")()


def seen(loader):
    return sorted(int(row) for batch in loader for row in batch)
"""

LOADERS = """
before = DataLoader(ROWS, batch_size=4)


def train():
    made = [
        DataLoader(ROWS, batch_size=4),
        Loader(ROWS, 4, True),
        data.DataLoader(ROWS, batch_size=4),
        torch.utils.data.DataLoader(ROWS, 4, False, None, None, 0),
        Own(ROWS, batch_size=4),
    ]
    return {
        "Metric": 1,
        "shares": [seen(loader) for loader in made],
        "own sampler": seen(DataLoader(ROWS, sampler=data.SequentialSampler(ROWS))),
        "made before": seen(before),
        "kinds": all(isinstance(loader, DataLoader) for loader in made),
    }


print(json.dumps({**run(train), "afterwards": seen(DataLoader(ROWS, batch_size=4))}))
"""

METRICS = """
def returning(*values):
    return run(lambda: values[rank])


print(json.dumps({
    "both": returning({"Metric": 1}, {"Metric": 4}),
    "one": returning({"Metric": 3, "rank": 0}, {"Metric": None, "rank": 1}),
    "other": returning(None, 7),
    "nothing": returning({}, {}),
    "none": returning(None, None),
    "text": returning({"Metric": "high"}, {"Metric": 2}),
}))
"""


def told(tmp_path, program):
    """Run a program in two processes; what each prints."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + program)
    meeting_place = tmp_path / "meeting"
    processes = [
        subprocess.Popen(
            [sys.executable, str(path), str(rank), str(meeting_place)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    ended = [process.communicate(timeout=180) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    return [json.loads(printed.splitlines()[-1]) for printed, _ in ended]


def test_each_loader_has_a_share_however_it_is_imported(tmp_path):
    first, second = told(tmp_path, LOADERS)
    whole = list(range(16))
    for mine, others in zip(first["shares"], second["shares"], strict=True):
        assert len(mine) == len(others) == 8
        assert sorted(mine + others) == whole
    for one in (first, second):
        assert one["own sampler"] == one["made before"] == one["afterwards"] == whole
        assert one["kinds"]


def test_the_metric_is_the_mean_over_the_processes_that_return_one(tmp_path):
    first, second = told(tmp_path, METRICS)
    assert first["both"] == second["both"] == {"Metric": 2.5}
    assert first["one"] == {"Metric": 3.0, "rank": 0}
    assert second["one"] == {"Metric": 3.0, "rank": 1}
    assert first["other"] == second["other"] == 7.0
    assert first["nothing"] == second["nothing"] == {}
    assert first["none"] is None
    assert first["text"] == {"Metric": "high"}
    assert second["text"] == {"Metric": 2.0}
