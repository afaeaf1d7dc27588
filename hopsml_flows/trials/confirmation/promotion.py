"""Whether the winner of a search takes a model's place: the rule, and the decision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.text import number_text, plural
from hopsml_flows.trials.confirmation.confirmation import Confirmation
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import image_key, is_finite

__all__ = [
    "PROBABILITY",
    "Champion",
    "Decision",
    "Promotion",
    "decide",
    "has_params",
    "probability_text",
]

PROBABILITY = 0.95
"""A winner is promoted if it is better than the champion with this probability at least."""


@dataclass(frozen=True, slots=True)
class Champion:
    """The best version of a model.

    Args:
        model: The model's name.
        version: The version.
        params: The hyperparameters that it was trained with.
        experiment: The experiment that it comes from, or None.
    """

    model: str
    version: int
    params: dict[str, Any] = field(default_factory=dict)
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the winner is to be promoted.

    Args:
        promotes: Whether.
        why: Why, or why not: the end of a sentence.
    """

    promotes: bool
    why: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of the winner of a search that was to be promoted.

    Args:
        model: The model's name.
        promoted: Whether the winner is a version of the model now.
        why: Why, or why not.
        version: The version that it became, or None.
        champion: The version that was the best before, or None.
        probability: The probability that the winner beats it, or None.
        optimistic: The metric that the search found, or None.
        corrected: The winner's mean on fresh seeds, or None.
        trial: Number of the trial whose model was exported, or None.
        asked: Who was asked, and what they said; None where the rule alone decided.
        unanswered: Whether a person was asked, or is being asked, and has not answered.
    """

    model: str
    promoted: bool
    why: str
    version: int | None = None
    champion: int | None = None
    probability: float | None = None
    optimistic: float | None = None
    corrected: float | None = None
    trial: int | None = None
    asked: str | None = None
    unanswered: bool = False

    @property
    def waits(self) -> bool:
        """Whether it waits for a person's answer."""
        return self.unanswered and self.asked is None

    @property
    def word(self) -> str:
        """What came of it, in one word."""
        if self.promoted:
            return "promoted"
        return "waiting" if self.waits else "refused"

    def as_json(self) -> dict[str, Any]:
        """The promotion as JSON values, for the experiment's record."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, entry: object) -> Promotion | None:
        """Return the promotion that a record has; None if there is none that can be read.

        Args:
            entry: What :meth:`as_json` returned; whoever can edit a record may write anything.
        """
        if not isinstance(entry, Mapping):
            return None
        known = {name: entry[name] for name in cls.__slots__ if name in entry}
        try:
            found = cls(**known)
        except TypeError:
            return None
        whole = (found.version, found.champion, found.trial)
        numbers = (found.probability, found.optimistic, found.corrected)
        fine = (
            isinstance(found.model, str)
            and isinstance(found.promoted, bool)
            and isinstance(found.why, str)
            and isinstance(found.asked, str | None)
            and isinstance(found.unanswered, bool)
            and all(each is None or is_whole(each) for each in whole)
            and all(each is None or (is_number(each) and is_finite(each)) for each in numbers)
        )
        return found if fine else None


def decide(confirmation: Confirmation, champion: Champion | None) -> Decision:
    """Return whether the winner is to be promoted.

    It is promoted if all its evaluations succeeded, and it is better than the champion with a
    probability of :data:`PROBABILITY` at least, or there is no champion. A winner with the
    champion's hyperparameters is not.

    Args:
        confirmation: What came of evaluating winner and champion.
        champion: The best version of the model, or None if there is none.
    """
    winner = confirmation.winner
    if winner.failed:
        all_of = plural(len(winner.metrics), "evaluation")
        number = winner.trials[winner.metrics.index(None)]
        failed = f"{winner.failed} of its {all_of} on fresh seeds failed"
        return Decision(False, f"{failed}, the first in trial {number}")
    if champion is None:
        return Decision(True, "the model has no version yet")
    name = f"version {champion.version}"
    if has_params(champion, winner.contestant.params):
        return Decision(False, f"{name} has the same hyperparameters")
    beats = confirmation.beats_champion
    if beats is None:
        return Decision(False, f"{name} could not be evaluated on two of the seeds")
    said = f"with probability {probability_text(beats.probability)}"
    if beats.probability >= PROBABILITY:
        return Decision(True, f"it is better than {name} {said}")
    needed = number_text(PROBABILITY)
    return Decision(False, f"it is better than {name} only {said}; {needed} is needed")


def has_params(champion: Champion, params: Mapping[str, Any]) -> bool:
    """Whether a champion has these hyperparameters.

    Args:
        champion: The champion.
        params: The hyperparameters.
    """
    return image_key(champion.params) == image_key(dict(params))


def probability_text(probability: float) -> str:
    """Return a probability in words: with two digits from the nearer end, never 0 or 1 by rounding.

    Args:
        probability: From 0 to 1.

    Example:
        >>> [probability_text(each) for each in (0.5, 0.9478, 0.99952, 0.99999999, 0.00002, 1.0)]
        ['0.50', '0.94', '0.9995', 'above 0.9999', 'below 0.0001', '1']
    """
    if probability in (0.0, 1.0):
        return f"{probability:.0f}"
    if not 0.0001 <= probability <= 0.9999:
        return "below 0.0001" if probability < 0.5 else "above 0.9999"
    places = 4 if not 0.01 <= probability <= 0.99 else 2
    # Cut, not rounded: what is refused below a threshold is not to look as if it had reached it.
    return f"{int(probability * 10**places) / 10**places:.{places}f}"
