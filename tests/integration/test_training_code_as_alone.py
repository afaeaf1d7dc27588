"""Training code gives in a trial what it gives as a script of its own, on any cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs.py"

RUN = """
import json, subprocess, sys
import programs_of_a_module

def by_itself(name):
    command = [sys.executable, __file__, "argument", "one", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

if __name__ == "__main__":
    how = sys.argv[2]
    if how == "one":
        print(json.dumps(PROGRAMS[sys.argv[3]]()))
    elif how == "alone":
        print(json.dumps({name: by_itself(name) for name in NAMES}))
    else:
        from hopsml_flows import experiment

        result = experiment.grid_search(
            one, {"name": NAMES}, cluster=json.loads(how), project=sys.argv[3],
            optimization_key="metric", progress=False, isolation=sys.argv[4],
        )
        print(json.dumps({t.params["name"]: t.outputs.get("returned", str(t.failure))
                          for t in result.trials}))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The programs as a user's script, beside a module of the user's."""
    directory = tmp_path_factory.mktemp("programs")
    path = directory / "script.py"
    path.write_text(PROGRAMS.read_text() + RUN)
    (directory / "programs_of_a_module.py").write_text(
        "class OfModule:\n    rate: float = 1.0\n\n\ndef with_source():\n    return 1\n"
    )
    return path


@pytest.fixture(scope="module")
def run(script, prefect_server, tmp_path_factory):
    """Run all programs; what each returned."""

    def start(cluster, isolation="worker"):
        project = tmp_path_factory.mktemp("run") / "project"
        text = cluster if cluster == "alone" else json.dumps(cluster)
        done = subprocess.run(
            [sys.executable, str(script), "argument", text, str(project), isolation],
            cwd=script.parent, env={**os.environ, "PREFECT_API_URL": prefect_server},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return start


@pytest.fixture(scope="module")
def alone(run):
    return run("alone")


@pytest.fixture(scope="module")
def own(run):
    return run({"kind": "local", "n_workers": 1})


@pytest.fixture(scope="module")
def fresh(run):
    return run({"kind": "local", "n_workers": 1}, "process")


@pytest.fixture(scope="module")
def running(run, tmp_path_factory):
    """On workers that somebody else started, elsewhere, without the script's directory."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], cwd=elsewhere, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield run(cluster.stdout.readline().strip())
    finally:
        cluster.stdin.close()
        cluster.wait(60)
        cluster.stdout.close()


CLUSTER = """
import sys
import distributed
if __name__ == "__main__":
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as c:
        print(c.scheduler_address, flush=True)
        sys.stdin.read()
"""


def names():
    namespace: dict = {}
    exec(compile(PROGRAMS.read_text(), str(PROGRAMS), "exec"), namespace)
    return namespace["NAMES"]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("where", ["own", "fresh", "running"])
def test_a_program_gives_in_a_trial_what_it_gives_alone(request, alone, where, name):
    assert request.getfixturevalue(where)[name] == alone[name]


CLASSES = """
import enum, json, sys
from hopsml_flows import experiment
class Opt(str, enum.Enum):
    ADAM = "adam"
    SGD = "sgd"
class Level(enum.IntEnum):
    LOW = 1
def train(opt, level):
    return {"metric": level, "same": opt is Opt.ADAM, "kind": type(level) is Level}
if __name__ == "__main__":
    for function in (train, "elsewhere:train"):
        result = experiment.grid_search(
            function, {"opt": [Opt.ADAM, Opt.SGD], "level": [Level.LOW]}, progress=False,
            cluster=json.loads(sys.argv[1]), project=sys.argv[2],
        )
        print(json.dumps([[t.outputs.get("same"), t.outputs.get("kind"), str(t.failure)]
                          for t in result.trials]))
        print(json.dumps([t.params["opt"] is Opt.ADAM for t in result.trials]))
"""

OF_MODULE = """
def train(opt, level):
    return {"metric": level, "same": type(opt).__name__, "kind": type(level).__name__}
"""


@pytest.mark.parametrize("where", ["own", "running"])
def test_values_of_the_scripts_own_classes_reach_the_function_as_they_are(
    prefect_server, dask_address, tmp_path, where
):
    (tmp_path / "script.py").write_text(CLASSES)
    (tmp_path / "elsewhere.py").write_text(OF_MODULE)
    cluster = {"kind": "local", "n_workers": 1} if where == "own" else dask_address
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(cluster), str(tmp_path / "project")],
        cwd=tmp_path, env={**os.environ, "PREFECT_API_URL": prefect_server},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    own, own_params, of_module, module_params = map(json.loads, done.stdout.splitlines())
    assert own == [[True, True, "None"], [False, True, "None"]]
    assert of_module == [["Opt", "Level", "None"]] * 2
    assert own_params == module_params == [True, False]


WITH_TORCH = """
import json, sys
import torch
from torch.utils.data import DataLoader, Dataset

class Numbers(Dataset):
    def __len__(self): return 8
    def __getitem__(self, index): return torch.tensor(float(index))

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

def together(items): return torch.stack(items)

def train(method):
    from hopsml_flows import tensorboard
    loader = DataLoader(Numbers(), batch_size=4, num_workers=2, collate_fn=together,
                        multiprocessing_context=method)
    sums = [batch.sum().item() for batch in loader]
    where = tensorboard.logdir() if "alone" not in sys.argv else ""
    torch.save(Net(), where + "net.pt")
    torch.save(Net().state_dict(), where + "weights.pt")
    loaded = torch.load(where + "net.pt", weights_only=False)
    return {"metric": sum(sums), "sums": sums, "same": type(loaded) is Net}

if __name__ == "__main__":
    from hopsml_flows import experiment
    if "alone" in sys.argv:
        print(json.dumps([train(method) for method in ("fork", "spawn")]))
    else:
        result = experiment.grid_search(
            train, {"method": ["fork", "spawn"]}, cluster=json.loads(sys.argv[1]),
            project=sys.argv[2], progress=False,
        )
        print(json.dumps([trial.outputs or str(trial.failure) for trial in result.trials]))
"""


@pytest.mark.torch
@pytest.mark.parametrize("where", ["own", "running"])
def test_data_loaders_with_workers_and_saved_modules_of_the_script(
    prefect_server, dask_address, tmp_path, where
):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "script.py").write_text(WITH_TORCH)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "script.py", *arguments],
            cwd=tmp_path, env={**os.environ, "PREFECT_API_URL": prefect_server},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    cluster = {"kind": "local", "n_workers": 1} if where == "own" else dask_address
    project = tmp_path / "project"
    assert run(json.dumps(cluster), str(project)) == run("alone")
    saved = sorted(path.name for path in project.glob("Experiments/*/0001*/*.pt"))
    assert saved == ["net.pt", "weights.pt"]  # in the directory, not beside it
