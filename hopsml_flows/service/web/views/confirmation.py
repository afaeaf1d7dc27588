"""What an experiment's record says of its confirmed winner, for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.service.web.views.words import cell_text
from hopsml_flows.trials.confirmation import (
    LEVEL,
    Comparison,
    Confirmation,
    Judged,
    Promotion,
    promotion_text,
)
from hopsml_flows.trials.confirmation.promotion import probability_text

__all__ = ["ConfirmationPanel", "ConfirmedRow", "confirmation_panel"]


@dataclass(frozen=True, slots=True)
class ConfirmedRow:
    """A configuration that was evaluated on fresh seeds.

    Args:
        who: Which one it is.
        params: Its hyperparameters, as name and text.
        mean: Its mean, or why there is none.
        interval: The interval that has the true mean in it, or "".
        beaten: The probability that the winner is better, or "".
        trials: The numbers of the first and the last trial that evaluated it.
    """

    who: str
    params: tuple[tuple[str, str], ...]
    mean: str
    interval: str
    beaten: str
    trials: str


@dataclass(frozen=True, slots=True)
class ConfirmationPanel:
    """What a page says of a confirmation and a promotion.

    Args:
        key: The metric's name.
        found: The metric that the search found.
        mean: The corrected metric.
        seeds: Number of fresh seeds.
        level: Of intervals, in percent.
        rows: Those who were evaluated.
        without: Why the function's defaults were not, or "".
        promotion: What came of the promotion, in words; "" if none was asked for.
        promoted: Whether the winner was promoted.
    """

    key: str
    found: str
    mean: str
    seeds: int
    level: int
    rows: tuple[ConfirmedRow, ...]
    without: str = ""
    promotion: str = ""
    verdict: str = ""


_VERDICTS = {
    "promoted": "Promoted",
    "refused": "Not promoted",
    "waiting": "Waiting for approval",
}


def confirmation_panel(entry: ExperimentEntry) -> ConfirmationPanel | None:
    """Return what a page says of an experiment's confirmation; None if there is none.

    Args:
        entry: The experiment. Its record is a file's content: anything may be wrong in it.
    """
    record = entry.record
    told = None if record is None else Confirmation.from_json(record.confirmation)
    if record is None or told is None:
        return None
    promotion = Promotion.from_json(record.promotion)
    return ConfirmationPanel(
        key=told.key,
        found=cell_text(told.optimistic),
        mean="" if told.mean is None else cell_text(told.mean),
        seeds=len(told.seeds),
        level=round(100 * LEVEL),
        rows=tuple(_rows(told)),
        without=told.without_defaults or "",
        promotion="" if promotion is None else promotion_text(promotion),
        verdict="" if promotion is None else _VERDICTS[promotion.word],
    )


def _rows(told: Confirmation) -> Iterator[ConfirmedRow]:
    yield _row("Winner", told.winner, "")
    if told.defaults is not None:
        yield _row("Defaults", told.defaults, _probability(told.beats_defaults))
    if told.champion is not None:
        version = told.champion.contestant.version
        who = "Champion" if version is None else f"Champion, version {version}"
        yield _row(who, told.champion, _probability(told.beats_champion))


def _row(who: str, judged: Judged, beaten: str) -> ConfirmedRow:
    found = judged.estimate
    failed = f"{judged.failed} of {len(judged.metrics)} failed" if judged.failed else ""
    mean = "not known" if found is None else cell_text(found.mean)
    return ConfirmedRow(
        who,
        tuple((name, cell_text(value)) for name, value in judged.contestant.params.items()),
        f"{mean}, {failed}" if failed else mean,
        "" if found is None else f"{cell_text(found.low)} to {cell_text(found.high)}",
        beaten,
        f"{judged.trials[0]} to {judged.trials[-1]}" if judged.trials else "",
    )


def _probability(comparison: Comparison | None) -> str:
    return "not known" if comparison is None else probability_text(comparison.probability)
