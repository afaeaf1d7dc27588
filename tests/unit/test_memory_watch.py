from __future__ import annotations

import os

from hopsml_flows.execution.process.memory import MemoryWatch, resident

OWN = os.getpid()


def test_without_a_limit_nothing_is_too_much():
    watch = MemoryWatch(None, OWN)
    assert (watch.too_much(OWN), watch.too_much_for_next(OWN)) == ("", "")


def test_a_process_counts_with_its_worker_and_both_are_named():
    held = 2 * resident(OWN)
    assert MemoryWatch(held * 2, OWN).too_much_for_next(OWN) == ""
    worn = MemoryWatch(int(held * 1.15), OWN)  # 87% of it
    assert "more than 80% of memory_limit" in worn.too_much_for_next(OWN)
    assert worn.too_much(OWN) == ""
    over = MemoryWatch(held // 2, OWN).too_much(OWN)
    assert "it held" in over
    assert "and its worker" in over
    assert "more than 95% of memory_limit" in over


def test_a_process_that_has_gone_holds_nothing():
    assert resident(2**22 + 1) == 0
