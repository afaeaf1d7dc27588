"""Marks of task runs that have begun, as files, and the outcomes in them."""

from __future__ import annotations

import json
import uuid

import pytest

from hopsml_flows.cluster import begin_marks
from hopsml_flows.cluster.begin_marks import MarkFiles, store_outcome


@pytest.fixture
def marks(tmp_path):
    return MarkFiles(str(tmp_path))


@pytest.fixture
def begun(tmp_path):
    """A task run that has begun."""
    task_run_id = uuid.uuid4()
    (tmp_path / str(task_run_id)).write_text(f"{json.dumps({'worker': 'tcp://1'})}\n")
    return task_run_id


def test_a_task_run_without_a_mark_has_not_begun(marks):
    task_run_id = uuid.uuid4()
    assert not marks.has_begun(task_run_id)
    assert marks.read(task_run_id) is None
    assert marks.outcome(task_run_id) is None
    marks.clear(task_run_id)


def test_a_mark_says_where_it_began_and_carries_the_outcome(marks, begun):
    assert marks.outcome(begun) is None
    store_outcome(begun, marks.directory, {"text": "a\nb\n!"})
    assert marks.read(begun) == {"worker": "tcp://1"}
    assert marks.outcome(begun) == {"text": "a\nb\n!"}
    marks.clear(begun)
    assert not marks.has_begun(begun)


def test_large_outcomes_and_those_that_cannot_be_pickled_are_left_to_dask(marks, begun):
    store_outcome(begun, marks.directory, bytes(begin_marks.LARGEST + 1))
    store_outcome(begun, marks.directory, lambda: 1)
    assert marks.outcome(begun) is None
    assert marks.has_begun(begun)


@pytest.mark.parametrize("first", [True, False])
def test_the_outcome_of_a_worker_that_was_dying_does_not_count(marks, begun, first):
    refuse = (begun, begin_marks._REFUSED)
    if first:
        begin_marks._append(marks.directory, *refuse)
    store_outcome(begun, marks.directory, "stopped by the end of its worker")
    if not first:
        begin_marks._append(marks.directory, *refuse)
    assert marks.outcome(begun) is None
    assert marks.read(begun) == {"worker": "tcp://1"}


def test_an_outcome_that_was_cut_short_does_not_count(marks, begun, tmp_path):
    store_outcome(begun, marks.directory, "x" * 100)
    file = tmp_path / str(begun)
    file.write_bytes(file.read_bytes()[:-20])
    assert marks.outcome(begun) is None
