"""The picture of learning curves: what is drawn of whom, and what its words say."""

from __future__ import annotations

import io
import math

import pytest
from matplotlib.text import Text
from PIL import Image

from hopsml_flows.search import Direction
from hopsml_flows.tracking.pictures import learning_curves
from hopsml_flows.tracking.pictures.canvas import BEST, MEAN, SOFT
from hopsml_flows.tracking.pictures.learning_curves import MOST_CURVES, curves_figure
from hopsml_flows.trials import Report, State, Trial, TrialResult
from hopsml_flows.trials.learning_curves import LearningCurve

MAX, MIN = Direction.MAX, Direction.MIN


def curve(number, values, state=State.FINISHED, direction=MAX):
    made = LearningCurve(Trial(number, f"{number:04d}", {}), direction)
    for step, value in enumerate(values):
        made.add(Report(value, step))
    metric = values[-1] if values else 0.5
    made.end(TrialResult(number, f"{number:04d}", {}, state, metric))
    return made


SOME = [
    curve(1, [0.1, 0.2, 0.3]),
    curve(2, [0.1, 0.05], State.STOPPED),
    curve(3, [0.2, 0.4, 0.9]),
    curve(4, []),
]


def lines_of(figure, marker):
    """The lines of the axes with curves, by colour."""
    (axes,) = figure.axes
    return [
        (line.get_color(), [tuple(map(float, point)) for point in line.get_xydata()])
        for line in axes.lines
        if line.get_marker() == marker and line.get_zorder() >= 1
    ]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def test_each_trial_that_reported_is_a_line_and_stopped_ones_end_with_a_cross():
    figure = curves_figure(SOME, direction=MAX, metric="accuracy", best=3)
    lines = lines_of(figure, "")
    assert sorted(color for color, _ in lines) == sorted([BEST, MEAN, SOFT])
    by_color = dict(lines)
    assert [x for x, _ in by_color[BEST]] == [0.0, 0.5, 1.0]
    assert by_color[BEST][-1][1] == 1.0  # the highest accuracy of all
    assert [x for x, _ in by_color[SOFT]] == [0.0, 0.5]
    assert lines_of(figure, "x") == [(SOFT, by_color[SOFT][-1:])]
    said = words(figure)
    for part in (
        "Learning curves of accuracy", "4 trials", "1 stopped early", "1 without reports",
        "best 0.9 by trial 3", "higher is better", "stopped early", "came to its end",
    ):  # fmt: skip
        assert part in said


def test_the_legend_names_only_what_is_drawn():
    said = words(curves_figure(SOME[:1], direction=MIN, metric="loss"))
    assert "came to its end" in said
    assert "stopped early" not in said
    assert "lower is better" in said


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [curve(1, [])],
        [curve(1, [0.5])],
        [curve(1, [math.nan, math.inf])],
        [curve(1, [1e308, -1e308, 5e-324])],
        [curve(1, [0.5] * 3), curve(2, [0.5] * 3, State.FAILED)],
        [curve(n, [math.exp(-s * n / 9) for s in range(200)]) for n in range(1, 9)],
    ],
    ids=["none", "silent", "one point", "not finite", "huge", "constant", "decades"],
)
@pytest.mark.parametrize("direction", [MAX, MIN])
def test_a_picture_is_drawn_of_whatever_was_reported(curves, direction):
    png = learning_curves(curves, direction=direction, metric="a $m$", best=1)
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
    assert png == learning_curves(curves, direction=direction, metric="a $m$", best=1)


def test_of_very_many_trials_some_are_drawn_the_best_always():
    states = (State.FINISHED, State.STOPPED)
    many = [curve(n, [n / 2000, n / 1000], states[n % 2]) for n in range(1, 4 * MOST_CURVES)]
    figure = curves_figure(many, direction=MIN, metric="loss", best=1)
    colors = [color for color, _ in lines_of(figure, "")]
    assert len(colors) == MOST_CURVES
    assert colors.count(BEST) == 1
    assert min(colors.count(MEAN), colors.count(SOFT)) > MOST_CURVES / 4
    assert f"{MOST_CURVES} drawn" in words(figure)
