"""The plot: mean regret on the functions and mean gap on the tables, by evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from optimization.contenders import OURS, RANDOM
from optimization.summary import Group

_FIRST = 10
"""Evaluations before which curves are not drawn."""

_COLOURS = {
    OURS: "#1f5f99",
    RANDOM: "#8a8a8a",
    "hopsml": "#b8860b",
    "scipy": "#3b8f5a",
    "dehb": "#a0522d",
    "tpe": "#d08a9d",
    "tpe-multivariate": "#b03a5b",
}


def draw(
    path: Path, functions: Group | None, tables: Group | None, labels: Mapping[str, str]
) -> None:
    """Draw the curves of the longest runs; dots are the runs that were set up for fewer.

    Args:
        path: The picture.
        functions: Results on the functions.
        tables: Results on the tables.
        labels: Contenders' names in the legend.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    panels: list[tuple[Group, str, Callable[..., np.ndarray]]] = []
    if functions:
        panels.append((functions, "mean normalised regret, functions", _regret))
    if tables:
        panels.append((tables, "mean gap to the optimum, tables (%)", _gap))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.5 * len(panels), 4.4), layout="constrained", squeeze=False
    )
    for axis, (group, title, measure) in zip(axes[0], panels, strict=True):
        for name in _COLOURS:
            if name in group.contenders:
                _curve(axis, group, name, measure, labels[name])
        axis.set(xscale="log", yscale="log", xlabel="evaluations", title=title)
        axis.set_xticks(group.budgets, [str(budget) for budget in group.budgets])
        axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _curve(
    axis: Any, group: Group, name: str, measure: Callable[..., np.ndarray], label: str
) -> None:
    longest = max(group.budgets)
    steps = np.arange(_FIRST, longest + 1)
    wide = 2.4 if name == OURS else 1.3
    axis.plot(
        steps, measure(group, name, longest, steps), color=_COLOURS[name], lw=wide, label=label
    )
    dots = [(b, measure(group, name, b, np.array([b]))[0]) for b in group.budgets if b < longest]
    axis.plot(*zip(*dots, strict=True), "o", color=_COLOURS[name], ms=4) if dots else None


def _regret(group: Group, name: str, budget: int, steps: np.ndarray) -> np.ndarray:
    means = []
    for problem in group.problems:
        best = group.curves[name, problem, budget].mean(axis=0)
        scale = group.scales[problem]
        means.append([scale.regret(best[step - 1], step) for step in steps])
    return np.nanmean(means, axis=0)


def _gap(group: Group, name: str, budget: int, steps: np.ndarray) -> np.ndarray:
    return np.mean(
        [
            group.scales[problem].gap(group.curves[name, problem, budget].mean(axis=0)[steps - 1])
            for problem in group.problems
        ],
        axis=0,
    )
