from __future__ import annotations

import base64
import io
import itertools
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import prefect
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from packaging.version import Version
from PIL import Image

from hopsml_flows.ablation import effects, judge
from hopsml_flows.search import Categorical, Direction, Float, Int
from hopsml_flows.storage import OF_EXPERIMENT, ExperimentFiles, ExperimentPaths
from hopsml_flows.tracking.pictures import (
    by_generation,
    effects_picture,
    parallel_coordinates,
    pictures,
    population_by_parameter,
)
from hopsml_flows.tracking.pictures.canvas import BEST, MEAN, label, render, shortened
from hopsml_flows.tracking.pictures.data import Population
from hopsml_flows.tracking.pictures.metric_progress import progress_figure
from hopsml_flows.tracking.pictures.parallel_coordinates import parallel_figure
from hopsml_flows.tracking.pictures.population import population_figure
from hopsml_flows.tracking.pictures.scales import (
    ChoiceScale,
    NumberScale,
    metric_scale,
    parameter_scale,
    short_number,
)
from hopsml_flows.tracking.prefect import picture_artifact
from hopsml_flows.trials import State, TrialResult

SPACE = {
    "learning_rate": Float(1e-5, 1e-1, log=True),
    "dropout": Float(0.0, 0.9),
    "layers": Int(2, 9),
    "batch_size": Int(16, 1024, log=True),
    "optimizer": Categorical(["sgd", "adam", "rmsprop"]),
}
MAX, MIN = Direction.MAX, Direction.MIN


def trial(number, params, metric):
    state = State.FAILED if metric is None else State.FINISHED
    return TrialResult(number, f"{number:04d}", params, state, metric)


def experiment(space=SPACE, generations=4, size=8, metric=None, seed=1):
    rng = np.random.default_rng(seed)
    metric = metric or (lambda params, rng: float(rng.normal()))
    numbers = itertools.count(1)
    return [
        [
            trial(next(numbers), params, metric(params, rng))
            for params in ({n: d.sample(rng) for n, d in space.items()} for _ in range(size))
        ]
        for _ in range(generations)
    ]


def figures(generations, space, direction=MAX, metric="accuracy"):
    population = Population(generations, direction, metric)
    everything = Population([[r for some in generations for r in some]], direction, metric)
    return {
        "progress": progress_figure(population),
        "population": population_figure(population, space),
        "parallel": parallel_figure(everything, space),
    }


def drawn(generations, space, direction=MAX, metric="accuracy"):
    results = [result for some in generations for result in some]
    how = {"direction": direction, "metric": metric}
    return {
        "progress": by_generation(generations, **how),
        "population": population_by_parameter(generations, space, **how),
        "parallel": parallel_coordinates(results, space, **how),
    }


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def share_of(image, color):
    wanted = np.array([round(255 * channel) for channel in to_rgb(color)])
    return float((np.abs(image.astype(int) - wanted).max(axis=-1) <= 2).mean())


def texts(figure):
    found = (text.get_text() for text in figure.findobj(Text) if text.get_visible())
    return [text for text in found if text]


def words(figure):
    return " ".join(texts(figure)).replace("\n", "")


def tick_labels(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def line_sets(figure):
    return [found for axes in figure.axes for found in axes.collections
            if isinstance(found, LineCollection)]  # fmt: skip


def segments(lines):
    return [path.vertices for path in lines.get_paths()]


def xy(lines):
    return [(float(x), float(y)) for line in lines for x, y in line.get_xydata()]


# What every picture is


@pytest.mark.parametrize("direction", [MAX, MIN])
def test_every_picture_is_a_small_png_with_something_on_it(direction):
    for name, png in drawn(experiment(), SPACE, direction).items():
        image = pixels(png)
        height, width = image.shape[:2]
        assert width == 960, name
        assert 300 < height < 1200
        assert len(png) < 120_000
        assert 0.5 < (image == 255).all(axis=-1).mean() < 0.99
        assert share_of(image, BEST) > 1e-4  # the best trial has kept its colour


def test_the_same_results_give_the_same_bytes():
    assert drawn(experiment(), SPACE) == drawn(experiment(), SPACE)


def test_a_picture_neither_follows_nor_changes_what_the_user_has_set():
    usual = drawn(experiment(), SPACE)
    theirs = {
        "axes.facecolor": "black",
        "axes.grid": True,
        "axes.labelweight": "bold",
        "axes.titlesize": 30,
        "figure.autolayout": True,
        "figure.facecolor": "black",
        "font.family": "monospace",
        "font.size": 30,
        "grid.color": "red",
        "legend.facecolor": "red",
        "legend.fontsize": 30,
        "lines.linewidth": 9,
        "lines.marker": "x",
        "savefig.bbox": "tight",
        "text.color": "white",
        "text.usetex": True,
        "xtick.labelsize": 30,
        "xtick.minor.visible": True,
        "ytick.right": True,
    }
    with rc_context(theirs):
        before = dict(rcParams)
        assert drawn(experiment(), SPACE) == usual
        assert dict(rcParams) == before


def test_pyplot_is_never_used():
    code = (
        "import sys\n"
        "import hopsml_flows, hopsml_flows.tracking\n"
        "from hopsml_flows.tracking.pictures import by_generation\n"
        "from hopsml_flows.search import Direction\n"
        "assert not any(name.startswith(('matplotlib', 'PIL')) for name in sys.modules)\n"
        "by_generation([[], []], direction=Direction.MAX)\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_every_text_lies_inside_its_picture():
    long = {f"a_rather_long_name_of_parameter_{n}": Float(1e-7, 1, log=True) for n in range(17)}
    long["activation"] = Categorical(["relu", "gelu", "a_very_long_name_of_a_category", "tanh"])
    for space in (SPACE, long, {"x": Float(0, 1)}):
        for name, figure in figures(experiment(space), space, metric="validation_accuracy").items():
            figure.canvas.draw()
            renderer = figure.canvas.get_renderer()
            for text in figure.findobj(Text):
                if text.get_visible() and text.get_text():
                    box = text.get_window_extent(renderer)
                    where = (name, text.get_text(), box.extents, figure.bbox.extents)
                    assert box.x0 > -1, where
                    assert box.x1 < figure.bbox.width + 1, where
                    assert box.y0 > -1, where
                    assert box.y1 < figure.bbox.height + 1, where


@pytest.mark.parametrize("generations", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_thousands_of_trials_of_twenty_parameters_are_still_a_small_picture(generations):
    space = {f"p{n}": list(SPACE.values())[n % 5] for n in range(20)}
    for name, png in drawn(experiment(space, generations, 100), space).items():
        assert len(png) < 600_000, name
        assert pixels(png).shape[0] < 2000


# Best and mean by generation


def test_the_first_picture_shows_the_best_so_far_and_the_mean_of_each_generation():
    metrics = [[1.0, 3.0], [2.0, 2.0], [None, 5.0]]
    generations = [
        [trial(10 * g + k, {}, value) for k, value in enumerate(values)]
        for g, values in enumerate(metrics)
    ]
    figure = progress_figure(Population(generations, MAX, "accuracy"))
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    scale = metric_scale([1, 3, 5], MAX)  # the quartiles of a generation are its trials
    assert lines["best so far"].get_ydata() == pytest.approx([scale.at(v) for v in (3, 3, 5)])
    assert lines["mean"].get_ydata() == pytest.approx([scale.at(v) for v in (2, 2, 5)])
    assert list(lines["mean"].get_xdata()) == [0, 1, 2]
    assert lines["best so far"].get_color() == BEST
    assert lines["mean"].get_color() == MEAN
    (band,) = axes.collections
    assert band.get_label() == "middle half of the generation"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("generation", "accuracy")
    assert tick_labels(axes.xaxis) == ["0", "1", "2"]
    assert "Best and mean accuracy by generation" in texts(figure)
    notes = "6 trials in 3 generations · 1 failed · best 5 by trial 21 · higher is better"
    assert notes in texts(figure)


def test_the_best_of_a_minimised_metric_goes_down_only():
    figure = progress_figure(Population(experiment(generations=12), MIN, "loss"))
    line = next(line for line in figure.axes[0].lines if line.get_label() == "best so far")
    ys = list(line.get_ydata())
    assert ys == sorted(ys, reverse=True)
    assert "lower is better" in words(figure)


def test_a_generation_without_a_metric_is_a_gap_in_the_mean():
    generations = experiment(generations=3)
    generations[1] = [trial(result.number, result.params, None) for result in generations[1]]
    figure = progress_figure(Population(generations, MAX, "accuracy"))
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert [math.isnan(y) for y in lines["mean"]] == [False, True, False]
    assert not any(math.isnan(y) for y in lines["best so far"])


# The population over each parameter


def test_there_is_a_panel_for_every_parameter_with_an_axis_of_its_kind():
    found = panels(figures(experiment(), SPACE)["population"])
    assert list(found) == [
        "learning_rate (log)", "dropout", "layers", "batch_size (log)", "optimizer"
    ]  # fmt: skip
    labels = {name: tick_labels(axes.xaxis) for name, axes in found.items()}
    assert labels["learning_rate (log)"] == ["1e-5", "1e-4", "0.001", "0.01", "0.1"]
    assert labels["optimizer"] == ["sgd", "adam", "rmsprop"]
    assert all(float(text).is_integer() for text in labels["layers"])
    assert len(found["learning_rate (log)"].get_xticks(minor=True)) == 32
    assert len(found["dropout"].get_xticks(minor=True)) == 0


def test_a_panel_has_one_point_a_trial_darker_with_every_generation():
    figure = population_figure(Population(experiment(generations=3), MAX, "accuracy"), SPACE)
    axes = panels(figure)["dropout"]
    groups = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in groups] == [8, 8, 8]
    brightness = [sum(line.get_color()[:3]) for line in groups]
    assert brightness == sorted(brightness, reverse=True)
    assert {"generation  0", "2"} <= set(texts(figure))


def test_failed_trials_are_crosses_below_the_panel_and_the_best_one_a_star():
    generations = [[trial(1, {"x": 0.5}, None), trial(2, {"x": 1.0}, 3.0), trial(3, {"x": 0}, 2.0)]]
    figure = population_figure(Population(generations, MAX, "accuracy"), {"x": Float(0, 2)})
    (axes,) = panels(figure).values()
    marks = {line.get_marker(): line for line in axes.lines if line.get_linestyle() == "None"}
    assert xy([marks["x"]]) == [(0.25, pytest.approx(-0.1))]
    assert xy([marks["*"]]) == [(0.5, 1.0)]
    assert "\N{MULTIPLICATION SIGN} 1 failed" in words(figure)
    assert "★ best 3 by trial 2" in words(figure)


def test_points_of_one_category_stand_side_by_side_in_the_order_of_the_generations():
    space = {"c": Categorical(["a", "b"])}
    generations = [[trial(g, {"c": "a"}, float(g))] for g in range(3)]
    (axes,) = panels(population_figure(Population(generations, MAX, "m"), space)).values()
    xs = [x for x, _ in xy(line for line in axes.lines if line.get_marker() == "o")]
    assert xs == pytest.approx([-0.3, 0.0, 0.3])


def test_a_metric_far_off_is_drawn_at_the_edge_and_counted():
    losses = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1e30]
    generations = [[trial(n, {"x": 0.1 * n}, loss) for n, loss in enumerate(losses)]]
    shown = figures(generations, {}, MIN, "loss")
    (axes,) = panels(shown["population"]).values()
    assert len(xy(line for line in axes.lines if line.get_marker() == "o")) == 9
    ((_, y),) = xy(line for line in axes.lines if line.get_marker() == "^")
    assert 1 < y < 1.1
    assert "1 off the scale" in words(shown["population"])
    assert "1 off the scale" in words(shown["parallel"])


def test_more_parameters_than_fit_are_counted():
    space = {f"p{n}": Float(0, 1) for n in range(30)}
    shown = figures(experiment(space), space)
    assert len(panels(shown["population"])) == 24
    for name in ("population", "parallel"):
        assert "6 more hyperparameters not shown" in words(shown[name])


# Parallel coordinates


def test_every_trial_is_a_line_and_the_best_is_drawn_last_and_thickest():
    generations = experiment()
    figure = figures(generations, SPACE)["parallel"]
    (lines,) = line_sets(figure)
    assert len(segments(lines)) == 32
    best = max((r for some in generations for r in some), key=lambda result: result.metric)
    (axes,) = figure.axes
    thickest = [line for line in axes.lines if line.get_color() == BEST]
    scales = Population(generations, MAX, "accuracy").scales(SPACE)
    expected = [scales[name].at(best.params[name]) for name in SPACE]
    assert thickest[0].get_ydata() == pytest.approx([*expected, 1.0])
    assert short_number(best.params["learning_rate"], 3) in texts(figure)
    assert thickest[0].get_linewidth() > max(lines.get_linewidths())
    assert thickest[0].get_zorder() > lines.get_zorder()


@pytest.mark.parametrize("direction", [MAX, MIN])
def test_better_lines_end_higher_are_darker_and_lie_above_worse_ones(direction):
    (lines,) = line_sets(figures(experiment(), SPACE, direction)["parallel"])
    ends = [segment[-1][1] for segment in segments(lines)]
    assert ends == sorted(ends)
    brightness = lines.get_edgecolor()[:, :3].sum(axis=1)
    assert list(brightness) == sorted(brightness, reverse=True)


def test_failed_trials_are_faint_lines_that_do_not_reach_the_metric():
    generations = [[*experiment(generations=1)[0], trial(99, {"dropout": 0.45}, None)]]
    figure = figures(generations, SPACE)["parallel"]
    failed, good = line_sets(figure)
    assert len(segments(good)) == 8
    (segment,) = segments(failed)
    assert [x for x, y in segment if not math.isnan(y)] == [1.0]
    assert math.isnan(segment[-1][1])
    assert "1 failed" in words(figure)


def test_twenty_parameters_are_drawn_in_rows_that_all_end_with_the_metric():
    space = {f"p{n}": Float(0, 1) for n in range(20)}
    figure = figures(experiment(space), space)["parallel"]
    assert len(figure.axes) == 3
    assert texts(figure).count("accuracy") == 3
    assert {f"p{n}" for n in range(20)} <= set(texts(figure))


def test_of_very_many_trials_the_best_are_drawn_and_the_number_is_told():
    generations = experiment({"x": Float(0, 1)}, 100, 100)
    figure = figures(generations, {})["parallel"]
    (lines,) = line_sets(figure)
    assert len(segments(lines)) == 3000
    assert segments(lines)[-1][-1][1] == 1.0
    assert "10000 trials" in words(figure)
    assert "3000 lines drawn" in words(figure)


# Odd inputs

ODD_METRICS = {
    "all failed": lambda params, rng: None,
    "some failed": lambda params, rng: None if rng.random() < 0.5 else float(rng.normal()),
    "constant": lambda params, rng: 0.5,
    "zero": lambda params, rng: 0.0,
    "nearly constant": lambda params, rng: 1.0 + 1e-15 * rng.random(),
    "huge range": lambda params, rng: float(10 ** rng.uniform(-300, 300)),
    "both signs, huge": lambda params, rng: float(rng.choice([-1.7e308, 1.7e308, 0.0, 1.0])),
    "tiny": lambda params, rng: float(5e-324 * rng.integers(0, 3)),
    "not finite": lambda params, rng: float(rng.choice([math.nan, math.inf, -math.inf, 1.0, 2.0])),
    "negative": lambda params, rng: -float(10 ** rng.uniform(-5, 5)),
    "integer": lambda params, rng: int(rng.integers(10)),
    "large offset": lambda params, rng: 1e9 + float(rng.random()),
}
ODD_SPACES = {
    "usual": SPACE,
    "one": {"x": Float(0, 1)},
    "tiny log": {"x": Float(1e-300, 1e-290, log=True), "y": Float(1e-300, 1e300, log=True)},
    "huge": {"x": Float(-8e307, 8e307), "n": Int(-(2**62), 2**62), "m": Int(1, 2**62, log=True)},
    "narrow": {"x": Float(1.0, 1.0 + 1e-14), "n": Int(0, 1), "y": Float(0.2, 0.5, log=True)},
    "long": {"a_very_long_name_" * 9: Float(0, 1), "c" * 200: Categorical(["v" * 500, "w" * 500])},
    "unicode": {
        "学习率 🚀": Float(0, 1),
        "größe": Int(1, 3),
        "$x^{$": Categorical(["$\\frac{", "é"]),
    },
    "text": {
        "a\nb\tc\x00": Categorical(["", "\n", "\x1b[31m", "a$b$c", "%s{}\\"]),
        "": Float(0, 1),
    },
    "types": {"t": Categorical([True, 1, 1.0, "1", None, [1, 2], {"a": math.nan}])},
    "fixed": {"x": Float(0.5, 0.5, log=True), "n": Int(3, 3), "c": Categorical(["a"])},
    "fixed beside others": {"x": Float(0, 1), "y": Float(0.0, 0.0), "n": Int(-3, -3)},
    "many choices": {"c": Categorical([f"choice {n}" for n in range(300)])},
    "many": {f"p{n}": Float(0, 1) if n % 2 else Categorical(["a", "b"]) for n in range(20)},
}


FEW = {name: SPACE[name] for name in ("learning_rate", "optimizer")}


@pytest.mark.parametrize("odd", ODD_METRICS)
def test_any_metric_can_be_drawn(odd):
    for direction, size in ((MAX, 7), (MIN, 7), (MIN, 1)):
        generations = experiment(FEW, metric=ODD_METRICS[odd], size=size)
        for figure in figures(generations, FEW, direction).values():
            assert pixels(render(figure)).shape[1] == 960
            assert_only_places(figure)


@pytest.mark.parametrize("odd", ODD_SPACES)
def test_any_space_can_be_drawn_known_or_not(odd):
    space = ODD_SPACES[odd]
    generations = experiment(space)
    for known in (space, {}):
        for figure in figures(generations, known, metric=next(iter(space))).values():
            assert pixels(render(figure)).shape[1] == 960
            assert_only_places(figure)


def assert_only_places(figure):
    """All that is plotted lies on the axes, which span about [0, 1], or is missing."""
    for axes in figure.axes:
        places = [
            *(line.get_xydata() for line in axes.lines),
            *(segment for lines in axes.collections if isinstance(lines, LineCollection)
              for segment in segments(lines)),
        ]  # fmt: skip
        for place in places:
            values = np.asarray(place, float)
            if values.size:
                known = values[~np.isnan(values)]
                assert np.isfinite(known).all()
                assert (np.abs(known) < 25).all()  # numbers of axes and of generations


def test_where_all_failed_the_metric_has_no_values():
    shown = figures(experiment(metric=ODD_METRICS["all failed"]), SPACE, MIN, "loss")
    assert "32 failed" in words(shown["parallel"])
    assert tick_labels(shown["progress"].axes[0].yaxis) == []
    assert tick_labels(panels(shown["population"])["dropout"].yaxis) == []
    assert not {"0.5", "1.0"} & set(texts(shown["parallel"]))


@pytest.mark.parametrize(
    "generations",
    [[], [[]], [[], []], [[trial(1, {}, 1.0)]], [[trial(1, {"x": 1}, 1.0)], []],
     [[trial(1, {"x": 1, "y": "a"}, 1.0), trial(2, {"y": 2}, 2.0), trial(3, {}, 0.0)]]],
    ids=["none", "empty", "two empty", "no parameters", "one trial", "different parameters"],
)  # fmt: skip
def test_few_or_uneven_trials_can_be_drawn(generations):
    for png in drawn(generations, {}).values():
        assert pixels(png).shape[1] == 960


def test_random_experiments_can_be_drawn():
    rng = random.Random(7)
    for seed in range(6):
        space = dict(rng.sample(sorted(SPACE.items()), rng.randint(1, 5)))
        metric = ODD_METRICS[rng.choice(sorted(ODD_METRICS))]
        generations = experiment(space, rng.randint(1, 5), rng.randint(1, 12), metric, seed)
        known = dict(rng.sample(sorted(space.items()), rng.randint(0, len(space))))
        for png in pictures(
            generations, known, direction=rng.choice([MAX, MIN]), metric="m"
        ).values():
            assert pixels(png).shape[1] == 960


# Labels


def test_letters_that_the_font_lacks_are_written_as_escapes():
    assert shortened("größe ≤ 2", 40) == "größe ≤ 2"
    assert shortened("学\U0001f680\ud800", 40) == "\\u5b66\\U0001f680\\ud800"
    assert shortened(" a\n b\x00", 40) == "a b\\x00"
    assert shortened("", 40) == "''"


def test_long_text_keeps_its_ends_and_a_dollar_starts_no_formula():
    assert shortened("learning_rate_decay", 9) == "lear…ecay"
    assert all(len(shortened("x" * n, 9)) <= 9 for n in range(30))
    text = Text(text=label("$a$ $b$", 40))
    assert text._preprocess_math(text.get_text()) == ("$a$ $b$", False)


# Axes


def numbers_of_every_size(rng, count):
    for _ in range(count):
        low = rng.uniform(-1, 1) * 10 ** rng.uniform(-280, 300)
        yield low, low + abs(low) * 10 ** rng.uniform(-8, 3) if rng.random() < 0.8 else -low


def test_marks_are_round_ascending_on_the_axis_and_told_apart():
    rng = random.Random(3)
    for low, high in numbers_of_every_size(rng, 3000):
        low, high = sorted((low, high))
        for log in (False, True) if low > 0 or high < 0 else (False,):
            scale = NumberScale(low, high, log)
            for most in (2, 4, 7):
                ticks = scale.ticks(most)
                places = [place for place, _ in ticks]
                assert 1 <= len(ticks) <= max(most + 2, 5), (scale, ticks)
                assert places == sorted(places), (scale, ticks)
                assert -1e-6 <= places[0] <= places[-1] <= 1 + 1e-6, (scale, ticks)
                assert len({text for _, text in ticks}) == len(ticks), (scale, ticks)
                for place, text in ticks:
                    assert scale.at(float(text)) == pytest.approx(place, abs=1e-3), (scale, ticks)


def test_marks_of_integers_are_integers():
    for low, high in itertools.combinations(range(-3, 40, 2), 2):
        for log in (False, True) if low > 0 else (False,):
            texts = [text for _, text in NumberScale(low, high, log, integer=True).ticks(6)]
            assert all(float(text).is_integer() for text in texts), (low, high, texts)


def test_values_outside_of_the_domain_widen_its_axis():
    scale = parameter_scale(Float(0.1, 1, log=True), [0.01, -5.0, "x", None, True])
    assert scale == NumberScale(0.01, 1, log=True)
    assert math.isnan(scale.at("x"))
    assert parameter_scale(Categorical(["a", "b"]), ["c"]) == ChoiceScale(("a", "b", "c"))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 5], NumberScale(1, 5, integer=True)),
        ([0.5, 1], NumberScale(0.5, 1)),
        ([1e-4, 0.5], NumberScale(1e-4, 0.5, log=True)),
        ([True, False], ChoiceScale((True, False))),
        ([1, "auto"], ChoiceScale((1, "auto"))),
        ([], ChoiceScale(())),
    ],
)
def test_without_a_domain_the_values_tell_the_axis(values, scale):
    assert parameter_scale(None, values) == scale


@pytest.mark.parametrize(
    ("values", "direction", "scale"),
    [
        ([0.9, 0.8, 0.7], MAX, NumberScale(0.7, 0.9)),
        ([1e-4, 1e-2, 1.0], MIN, NumberScale(1e-4, 1.0, log=True)),
        ([1e-4, 1e-2, 1.0], MAX, NumberScale(1e-4, 1.0)),  # accuracies: the best are near 1
        ([-1e-4, -1e-2, -1.0], MAX, NumberScale(-1.0, -1e-4, log=True)),
        ([0.0, 1e-2, 1.0], MIN, NumberScale(0.0, 1.0)),
        ([0.5, 0.6, 0.7, 0.8, 0.9, -1e9], MAX, NumberScale(0.5, 0.9)),
        (
            [0.5, 0.6, 0.7, 0.8, 0.9, 1e9],
            MAX,
            NumberScale(0.5, 1e9, log=True),
        ),  # the best is never cut off
    ],
)
def test_the_metrics_axis_tells_the_good_trials_apart(values, direction, scale):
    found = metric_scale(values, direction)
    assert found == scale


# Which pictures, where


def test_the_pictures_of_an_experiment_are_named_like_its_files():
    found = pictures(experiment(), SPACE, direction=MAX, metric="accuracy")
    assert list(found) == [
        ExperimentFiles.PROGRESS_PICTURE,
        ExperimentFiles.POPULATION_PICTURE,
        ExperimentFiles.PARALLEL_PICTURE,
    ]
    assert set(found) <= OF_EXPERIMENT
    paths = [ExperimentPaths("e").picture(name) for name in found]
    assert paths[0] == "Experiments/e/experiment-progress.png"


def test_only_pictures_that_have_something_to_show_are_drawn():
    def names(generations):
        return [name[len("experiment-") : -4] for name in pictures(generations, {}, direction=MAX)]

    assert names([]) == []
    assert names([[trial(1, {}, 1.0)]]) == []
    assert names([[trial(1, {}, 1.0)], [trial(2, {}, 1.0)]]) == ["progress"]
    assert names([[trial(1, {"x": 1}, 1.0)]]) == ["population", "parallel"]
    assert names([[trial(1, {"x": 1}, None)], [trial(2, {"x": 2}, math.nan)]]) == ["parallel"]


def test_a_trial_that_stays_in_the_population_is_one_line():
    kept = trial(1, {"x": 1}, 1.0)
    found = pictures([[kept], [kept, trial(2, {"x": 2}, 2.0)]], {}, direction=MAX)
    once = parallel_coordinates([kept, trial(2, {"x": 2}, 2.0)], {}, direction=MAX)
    assert found[ExperimentFiles.PARALLEL_PICTURE] == once


# In Prefect


def test_the_artifact_is_one_page_with_all_pictures_inside(monkeypatch):
    sent = []
    identifier = uuid4()
    monkeypatch.setattr(
        picture_artifact, "create_markdown_artifact", lambda **how: sent.append(how) or identifier
    )
    found = pictures(experiment(), SPACE, direction=MAX, metric="accuracy")
    assert (
        picture_artifact.picture_artifact(found, name="My Search", title="my-search-1")
        == identifier
    )
    (how,) = sent
    assert how["key"] == "my-search-pictures"
    images = re.findall(r"!\[([^\]]+)\]\(data:image/png;base64,([^)]+)\)", how["markdown"])
    assert [base64.b64decode(data) for _, data in images] == list(found.values())
    assert images[0][0] == "Best and mean metric by generation"


def test_without_pictures_or_without_a_server_there_is_no_artifact(monkeypatch):
    def away(**how):
        raise ConnectionError

    monkeypatch.setattr(picture_artifact, "create_markdown_artifact", away)
    assert picture_artifact.picture_artifact({}, name="e", title="e") is None
    assert picture_artifact.picture_artifact({"a.png": b"1"}, name="e", title="e") is None


def test_prefects_ui_still_allows_pictures_inside_markdown():
    assets = Path(prefect.__ui_v2_static_path__, "assets")
    (renderer,) = assets.glob("lazy-markdown-*.js")
    # docs/how-to/versions.md: older ones leave them out.
    shows = Version(prefect.__version__) >= Version("3.8.7")
    assert (r"/^data:image\//" in renderer.read_text()) == shows


# An ablation's effects


def test_the_picture_of_effects_is_a_png_that_equal_effects_make_again():
    names = {"age": 2.0, "$x$ 列": 0.1, "a name that is far too long for the picture": -1.0}
    metrics = {
        "base": {0: 9.0, 1: 9.1, 2: 9.2},
        **{name: {r: 9.0 + 0.11 * r - size for r in range(3)} for name, size in names.items()},
        "gone": {},
    }
    judged = [judge(effect) for effect in effects(metrics, base="base", direction="max")]
    drawn = effects_picture(judged, metric="accuracy")
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 30_000
    assert drawn == effects_picture(judged, metric="accuracy")
    assert drawn != effects_picture(judged[:2], metric="accuracy")
    assert effects_picture([]).startswith(b"\x89PNG")
