from __future__ import annotations

from hopsml_flows.cluster.losses import Losses
from tests.waiting import wait_until


def test_losses_of_one_moment_are_judged_together_and_later_ones_again():
    judged = []
    losses = Losses(judged.append)
    losses.add(1)
    losses.add(2)
    wait_until(lambda: judged, 10, "the first judgement")
    losses.add(3)
    wait_until(lambda: len(judged) == 2, 10, "the second judgement")
    assert judged == [[1, 2], [3]]
