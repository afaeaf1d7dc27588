"""What the plot of learning curves is drawn from: the reports in an experiment's journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hopsml_flows.service.web.views.comparison import Compared
from hopsml_flows.text import unicode_text
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import is_finite

__all__ = ["compared_curves", "condensed", "curves_of", "trial_curve"]

_MOST_CURVES = 1000
_MOST_POINTS = 200


def curves_of(entries: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the curves that a journal tells of, and how many are left out.

    Of very many trials an even choice is returned, and of many reports of a trial as well.

    Args:
        entries: The journal's entries.

    Example:
        >>> reports = [[0, 0.5], [1, 0.7]]
        >>> curves_of([{"event": "report", "trial": 1, "attempt": 1, "reports": reports}])
        ([{'trial': 1, 'steps': [0, 1], 'values': [0.5, 0.7]}], 0)
    """
    curves = _points(entries)
    numbers = sorted(number for number, (_, points) in curves.items() if points)
    every = -(-len(numbers) // _MOST_CURVES) or 1
    chosen = numbers[::every]
    return [_curve(number, curves[number][1]) for number in chosen], len(numbers) - len(chosen)


def condensed(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what a journal says of trials, with all reports of a trial in one entry.

    The same curves are drawn of it. It is short where trials report often.

    Args:
        entries: The journal's entries.

    Example:
        >>> reports = [{"event": "report", "trial": 1, "reports": [[n, 0.5]]} for n in range(9)]
        >>> len(condensed([*reports, {"event": "done", "trial": 1}, {"event": "ask"}]))
        2
    """
    others = [each for each in entries if each.get("event") != "report" and "trial" in each]
    reports = [
        {
            "event": "report",
            "trial": number,
            "attempt": attempt,
            "reports": _some(points, _MOST_POINTS - 1),
        }
        for number, (attempt, points) in _points(entries).items()
        if points
    ]
    return [*others, *reports]


def _points(
    entries: Iterable[Mapping[str, Any]],
) -> dict[int, tuple[Any, list[tuple[float, float]]]]:
    """Return the last attempt that has reported, and its reports, of each trial."""
    curves: dict[int, tuple[Any, list[tuple[float, float]]]] = {}
    for entry in entries:
        number, reports = entry.get("trial"), entry.get("reports")
        if entry.get("event") != "report" or not isinstance(number, int):
            continue
        attempt = entry.get("attempt")
        # A later attempt begins again.
        known = curves.get(number)
        if known is None or known[0] != attempt:
            known = curves[number] = (attempt, [])
        for report in reports if isinstance(reports, list) else ():
            match report:
                case [step, value] if _plain(step) and _plain(value):
                    known[1].append((step, value))
    return curves


def compared_curves(
    columns: Sequence[Compared], journals: Mapping[str, Iterable[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the curves of trials that are compared, each with what a legend calls it.

    Args:
        columns: The trials.
        journals: Entries of the journals of their experiments, by identifier.
    """
    keys = {each.entry.record.optimization_key for each in columns if each.entry.record}
    found = []
    for each in columns:
        if each.trial is None:
            continue
        number = each.trial.number
        own = (entry for entry in journals[each.entry.id] if entry.get("trial") == number)
        for curve in curves_of(own)[0]:
            label = unicode_text(f"{each.entry.name}, trial {number}")
            found.append({**curve, "label": label})
    key = (keys.pop() if len(keys) == 1 else None) or "metric"
    return {"comparison": True, "key": unicode_text(key), "curves": found}


def trial_curve(
    key: str | None, number: int, entries: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the curve of one trial, as far as it has reported.

    Args:
        key: The output that is optimized; None for the metric.
        number: The trial's number.
        entries: Entries of its experiment's journal.
    """
    found = curves_of(entry for entry in entries if entry.get("trial") == number)[0]
    curves = [{**curve, "label": f"trial {number}"} for curve in found]
    return {"comparison": True, "key": unicode_text(key or "metric"), "curves": curves}


def _curve(number: int, points: list[tuple[float, float]]) -> dict[str, Any]:
    some = _some(points, _MOST_POINTS)
    return {"trial": number, "steps": [s for s, _ in some], "values": [v for _, v in some]}


def _some(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Return an even choice of points, and the last one."""
    every = -(-len(points) // most)
    some = points[::every]
    if some[-1] != points[-1]:
        some.append(points[-1])
    return some


def _plain(value: Any) -> bool:
    return is_number(value) and is_finite(value)
