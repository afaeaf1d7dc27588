from __future__ import annotations

import pytest

from hopsml_flows.trials import trials_ahead


@pytest.mark.parametrize(
    ("mean", "ahead"), [(None, 0), (60.0, 0), (1.0, 0), (0.5, 2), (0.1, 4), (0.004, 32), (0.0, 32)]
)
def test_only_short_trials_are_submitted_ahead(mean, ahead):
    assert trials_ahead(2, mean) == ahead


def test_each_worker_gets_its_share():
    assert trials_ahead(8, 0.1) == 4 * trials_ahead(2, 0.1)
