from __future__ import annotations

import threading

from hopsml_flows.cluster.losses import Loss, Losses, split


def loss(number, worker="a", threads=1):
    return Loss(f"task {number}", number, worker, threads)


def names(losses):
    return [one.item for one in losses]


def test_the_first_submitted_task_of_a_dead_worker_had_begun():
    began, waited = split([loss(7), loss(3), loss(5)])
    assert names(began) == ["task 3"]
    assert names(waited) == ["task 5", "task 7"]


def test_each_dead_worker_is_judged_for_itself():
    began, waited = split([loss(1, "a"), loss(2, "b"), loss(3, "a"), loss(4, "b")])
    assert names(began) == ["task 1", "task 2"]
    assert names(waited) == ["task 3", "task 4"]


def test_a_worker_of_several_threads_had_begun_as_many():
    began, waited = split([loss(n, threads=2) for n in (4, 2, 9)])
    assert names(began) == ["task 2", "task 4"]
    assert names(waited) == ["task 9"]


def test_losses_of_one_moment_are_judged_together_and_later_ones_again():
    judged: list[list[str]] = []
    called = threading.Event()

    def judge(losses):
        judged.append(names(losses))
        called.set()

    losses = Losses(judge)
    losses.add(loss(1))
    losses.add(loss(2))
    assert called.wait(10)
    called.clear()
    losses.add(loss(3))
    assert called.wait(10)
    assert judged == [["task 1", "task 2"], ["task 3"]]
