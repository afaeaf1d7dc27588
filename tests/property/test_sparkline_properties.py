from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.search import Direction
from hopsml_flows.service.web.views.sparkline import HEIGHT, WIDTH, sparkline
from tests.unit.test_sparkline import points


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=200),
    st.sampled_from(Direction),
)
def test_every_picture_stays_in_its_frame_and_goes_one_way(metrics, direction):
    drawn = sparkline(metrics, direction)
    line = points(drawn)
    for x, y in [*line, *drawn.runs]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
        assert math.isfinite(x + y)
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    heights = [y for _, y in line]
    assert heights == sorted(heights, reverse=direction is Direction.MAX)
