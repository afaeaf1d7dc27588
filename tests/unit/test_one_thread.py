"""A search decides the same however many threads linear algebra has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hopsml_flows.search.one_thread import in_one_thread

SEARCH = """
import json, random
from hopsml_flows.search import SearchSpace
from hopsml_flows.search.evolution.asynchronous import AsynchronousEvolution

search = AsynchronousEvolution(SearchSpace({"x": [0.0, 1.0]}), num_trials=150, seed=1)
rng, running, proposed = random.Random(3), [], []
while not search.finished:
    while len(running) < 8 and (asked := search.ask(1)):
        running += asked
        proposed += [proposal.params["x"] for proposal in asked]
    ended = running.pop(rng.randrange(len(running)))
    search.tell(ended.id, ended.params["x"] / (1 + (rng.random() < 0.3)))
print(json.dumps(proposed))
"""
"""All its good points nearly coincide: the last bits of the model decide which one comes next."""


def threads():
    found = threadpool_info()
    return {each["num_threads"] for each in found if "numpy.libs" in each["filepath"]}


def set_threads(count):
    """Set them for all: what a thread has set stays, and the next may set it, when it has ended."""
    thread = threading.Thread(target=threadpool_limits, args=(count, "blas"))
    thread.start()
    thread.join()


@pytest.fixture
def three_threads():
    (before,) = threads()
    set_threads(3)
    assert threads() == {3}
    yield
    set_threads(before)


@pytest.fixture(scope="module")
def proposed_with_one():
    return proposals(1)


def proposals(count):
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(names, str(count))}
    command = [sys.executable, "-c", SEARCH]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("count", [2, 4])
def test_an_ill_conditioned_search_proposes_the_same_with_any_number_of_threads(
    proposed_with_one, count
):
    assert len(set(proposed_with_one)) == 150
    assert max(proposed_with_one) - sorted(proposed_with_one)[-20] < 1e-9
    assert proposals(count) == proposed_with_one


def test_a_function_has_one_thread_and_the_process_gets_its_own_back(three_threads):
    assert in_one_thread(threads)() == {1}
    assert threads() == {3}


def test_a_library_that_is_loaded_later_has_one_thread_too():
    look = """
import json, sys
from threadpoolctl import threadpool_info, threadpool_limits
from hopsml_flows.search.one_thread import in_one_thread
import numpy

@in_one_thread
def threads():
    return [found["num_threads"] for found in threadpool_info()]

first = threads()
import scipy.linalg
print(json.dumps([first, threads()]))
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    said = subprocess.run([sys.executable, "-c", look], env=env, check=True, capture_output=True)
    first, then = json.loads(said.stdout)
    assert set(first) == set(then) == {1}
    assert len(then) > len(first)


def test_the_threads_come_back_after_an_error(three_threads):
    def broken():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        in_one_thread(broken)()
    assert threads() == {3}


def test_functions_of_several_threads_have_one_each_and_give_all_back(three_threads):
    found = []

    @in_one_thread
    def look():
        found.append(threads())
        time.sleep(0.001)
        found.append(threads())

    def look_often():
        for _ in range(20):
            look()

    lookers = [threading.Thread(target=look_often) for _ in range(4)]
    for thread in lookers:
        thread.start()
    for thread in lookers:
        thread.join()
    assert found == [{1}] * 160
    assert threads() == {3}
