"""A search decides the same however many threads linear algebra has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
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
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.fixture
def three_threads():
    np.zeros((2, 2)) @ np.zeros((2, 2))
    with threadpool_limits(3, user_api="blas"):
        assert threads() == {3}
        yield


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


def test_the_threads_come_back_after_an_error(three_threads):
    def broken():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        in_one_thread(broken)()
    assert threads() == {3}


def test_calls_that_overlap_keep_one_thread_until_the_last_has_ended(three_threads):
    first_runs, first_may_end, found = threading.Event(), threading.Event(), []

    @in_one_thread
    def first():
        first_runs.set()
        first_may_end.wait(30)

    @in_one_thread
    def second():
        first_may_end.set()
        thread.join(30)
        found.append(threads())

    thread = threading.Thread(target=first)
    thread.start()
    assert first_runs.wait(30)
    second()
    assert not thread.is_alive()
    assert found == [{1}]
    assert threads() == {3}
