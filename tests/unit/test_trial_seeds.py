"""A trial's seed and what it seeds, in processes as fresh as a trial's."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from hopsml_flows.execution.process.clean_state import put_back
from hopsml_flows.execution.trial_seeds import SEED_VARIABLE, seed_random, seeded
from hopsml_flows.trials import trial_seed

BEGIN = """
import json, sys
from hopsml_flows.execution.trial_seeds import seeded
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def own_state():
    """Random numbers of this process are as they were after the test."""
    state, numpy_state = random.getstate(), np.random.get_state()
    yield
    random.setstate(state)
    np.random.set_state(numpy_state)


@pytest.mark.usefixtures("own_state")
def test_a_seed_begins_the_random_numbers_of_python_and_numpy():
    with put_back():
        with seeded(7):
            first = random.random(), np.random.random()
            assert os.environ[SEED_VARIABLE] == "7"
        seed_random(7)
        assert (random.random(), np.random.random()) == first
        seed_random(8)
        assert random.random() != first[0]
    assert SEED_VARIABLE not in os.environ


@pytest.mark.usefixtures("own_state")
def test_turned_off_a_seed_is_only_in_the_environment(monkeypatch):
    monkeypatch.delenv(SEED_VARIABLE, raising=False)
    state, numpy_state = random.getstate(), np.random.get_state()[1].tolist()
    with put_back(), seeded(7, libraries=False):
        assert os.environ[SEED_VARIABLE] == "7"
        assert random.getstate() == state
        assert np.random.get_state()[1].tolist() == numpy_state


def test_seeds_follow_from_experiment_and_number():
    seeds = {trial_seed(root, number) for root in (7, 8, "digits-1") for number in range(1, 100)}
    assert len(seeds) == 3 * 99
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert trial_seed(7, 1) == trial_seed("7", 1)


def test_numpy_imported_in_the_trial_is_seeded_as_if_it_had_been_there():
    draws = """
drawn = []
for _ in range(2):
    with seeded(7):
        import numpy
        drawn.append(numpy.random.random())
print(json.dumps(drawn))
"""
    assert "numpy" not in run("print(json.dumps([n for n in sys.modules if n == 'numpy']))")
    one, other = run(draws)
    assert one == other == np.random.RandomState(7).random_sample()


@pytest.mark.parametrize(
    "name",
    ["sklearn.pipeline", "keras", "tf_keras", "pandas", "matplotlib.pyplot", "scipy.stats",
     "optuna", "rich.console", pytest.param("torch", marks=pytest.mark.torch)],
)  # fmt: skip
def test_whatever_a_trial_imports_first_its_random_numbers_are_those_of_its_seed(name):
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed")
    told = f"""
import random
with seeded(7):
    import {name}
    import numpy
    print(json.dumps([random.random(), numpy.random.random()]))
"""
    drawn = [random.Random(7).random(), np.random.RandomState(7).random_sample()]
    assert run(told) == drawn


def test_a_library_imported_by_another_is_seeded_too():
    pytest.importorskip("pandas")
    told = """
with seeded(7):
    import pandas
    print(json.dumps(sys.modules["numpy"].random.random()))
"""
    assert run(told) == np.random.RandomState(7).random_sample()


def test_an_import_leaves_loader_and_search_as_python_made_them():
    told = """
before = list(sys.meta_path)
with seeded(7):
    import numpy
print(json.dumps([sys.meta_path == before, "exec_module" in vars(numpy.__spec__.loader),
                  bool(__import__("inspect").getsource(numpy))]))
"""
    assert run(told) == [True, False, True]


def test_a_missing_library_is_missing_and_one_that_fails_fails(tmp_path):
    (tmp_path / "torch.py").write_text("raise ValueError('broken')\n")
    told = f"""
sys.path.insert(0, {str(tmp_path)!r})
found = []
with seeded(7):
    try:
        import torch
    except ValueError as error:
        found.append(str(error))
    sys.path_importer_cache.clear()
    sys.modules["tensorflow"] = None
    try:
        import tensorflow
    except ImportError as error:
        found.append(type(error).__name__)
print(json.dumps(found))
"""
    assert run(told) == ["broken", "ModuleNotFoundError"]


def test_another_library_of_the_name_is_left_alone(tmp_path):
    (tmp_path / "torch.py").write_text("manual_seed = 3\n")
    told = f"""
sys.path.insert(0, {str(tmp_path)!r})
with seeded(7):
    import torch
with seeded(8):
    print(json.dumps(torch.manual_seed))
"""
    assert run(told) == 3


@pytest.mark.slow
def test_keras_and_tensorflow_give_the_same_in_a_fresh_process_and_after_another_trial():
    pytest.importorskip("tensorflow")
    told = """
def train():
    import keras
    import tensorflow
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    weights = keras.ops.convert_to_numpy(layer.kernel).tolist()
    noise = keras.random.normal((2,)).numpy().tolist()
    return weights, noise, tensorflow.random.normal((2,)).numpy().tolist()

drawn = []
for seed in (7, 7, 8, 7):
    with seeded(seed):
        drawn.append(train())
print(json.dumps(drawn))
"""
    first, second, other, fourth = run(told)
    assert first == second == fourth
    assert all(one != another for one, another in zip(first, other, strict=True))


@pytest.mark.torch
def test_torch_gives_the_same_in_a_fresh_process_and_after_another_trial():
    pytest.importorskip("torch")
    told = """
drawn = []
for _ in range(2):
    with seeded(7):
        import torch
        drawn.append(torch.rand(2).tolist())
print(json.dumps(drawn))
"""
    one, other = run(told)
    assert one == other
