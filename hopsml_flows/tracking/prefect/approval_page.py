"""What a person reads beside the form in which they approve a winner. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopsml_flows.tracking.prefect.markdown import escaped
from hopsml_flows.trials.confirmation import proposal_facts

if TYPE_CHECKING:
    from hopsml_flows.trials.confirmation import Confirmation, Promotion

__all__ = ["approval_page"]


def approval_page(
    promotion: Promotion, confirmation: Confirmation, experiment_id: str, directory: str
) -> str:
    """Return the figures of a winner, as Markdown.

    Args:
        promotion: What is proposed.
        confirmation: What came of evaluating the winner.
        experiment_id: The experiment.
        directory: Its directory, as a path or a URL without a password.
    """
    facts = [*proposal_facts(promotion, confirmation, experiment_id), ("directory", directory)]
    lines = [f"- **{word}**: {escaped(said, 500)}" for word, said in facts]
    return "\n".join(["Is the winner to become the next version of the model?", "", *lines])
