"""What a person said about a winner that the rule promotes, and what becomes of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hopsml_flows.redaction import redacted
from hopsml_flows.text import one_line
from hopsml_flows.trials.confirmation.confirmation import Confirmation
from hopsml_flows.trials.confirmation.promotion import Promotion
from hopsml_flows.trials.confirmation.words import confirmation_facts

__all__ = ["FORM", "Approval", "proposal_facts", "told_approval"]

_PROMOTE, _REFUSE = "promote", "refuse"

_LONGEST = 500
"""Characters of a comment that are kept."""

FORM: dict[str, Any] = {
    "title": "Approval",
    "type": "object",
    "properties": {
        "decision": {
            "title": "Decision",
            "description": "Whether the winner becomes the next version of the model.",
            "type": "string",
            "enum": [_PROMOTE, _REFUSE],
            "position": 0,
        },
        "comment": {
            "title": "Comment",
            "description": "Kept in the experiment's record.",
            "type": "string",
            "default": "",
            "position": 1,
        },
    },
    "required": ["decision"],
    "additionalProperties": False,
}
"""The form that a person fills in, as a JSON schema."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person said.

    Args:
        approved: Whether they approved the winner; None if no answer came.
        said: What they said, or why no answer came: the end of a sentence.
    """

    approved: bool | None
    said: str

    def of(self, proposed: Promotion) -> Promotion:
        """Return the promotion that was proposed, with the answer. It names no version yet.

        Args:
            proposed: What the person was asked.

        Example:
            >>> proposed = Promotion("net", False, "it is better than version 1", unanswered=True)
            >>> found = Approval(False, "a person refused it: too slow").of(proposed)
            >>> found.why, found.asked, found.unanswered
            ('although it is better than version 1', 'a person refused it: too slow', False)
        """
        why = proposed.why if self.approved else f"although {proposed.why}"
        return replace(proposed, why=why, asked=self.said, unanswered=self.approved is None)


def told_approval(answer: object) -> Approval:
    """Return what an answer to the form says. What is no answer approves nothing.

    Args:
        answer: JSON, as the Prefect server keeps the answer; None if there is none.

    Example:
        >>> told_approval('{"decision": "promote", "comment": "it is smaller, too"}')
        Approval(approved=True, said='a person approved it: it is smaller, too')
        >>> told_approval(None).approved is None
        True
    """
    try:
        told = json.loads(answer) if isinstance(answer, (str, bytes)) else None
    except ValueError:
        told = None
    decision = told.get("decision") if isinstance(told, dict) else None
    if not isinstance(told, dict) or decision not in (_PROMOTE, _REFUSE):
        return Approval(None, "its flow run was resumed without an answer")
    comment = one_line(redacted(str(told.get("comment") or ""))).strip()[:_LONGEST]
    said = "a person approved it" if decision == _PROMOTE else "a person refused it"
    return Approval(decision == _PROMOTE, f"{said}: {comment}" if comment else said)


def proposal_facts(
    promotion: Promotion, confirmation: Confirmation, experiment_id: str
) -> Iterator[tuple[str, str]]:
    """Yield what a person who decides should know: a word, and what is said of it.

    Args:
        promotion: What is proposed.
        confirmation: What came of evaluating the winner.
        experiment_id: The experiment.
    """
    yield "model", promotion.model
    yield "rule", promotion.why
    yield from confirmation_facts(confirmation)
    params = confirmation.winner.contestant.params
    pairs = ", ".join(f"{name}={value}" for name, value in params.items())
    yield "winner", one_line(f"trial {confirmation.trial}{f': {pairs}' if pairs else ''}")
    yield "experiment", experiment_id
