"""Confirmation of a search's winner on fresh seeds, and what follows from it. Pure.

:mod:`student_t` is the distribution, :mod:`statistics` the estimates, :mod:`contest` says which
trials to run, :mod:`confirmation` what came of them, :mod:`promotion` whether the winner becomes
the champion, :mod:`approval` what a person said to that.
"""

from hopsml_flows.trials.confirmation.approval import (
    FORM,
    Approval,
    proposal_facts,
    told_approval,
)
from hopsml_flows.trials.confirmation.confirmation import (
    METHOD,
    Confirmation,
    Contestant,
    Judged,
    Role,
)
from hopsml_flows.trials.confirmation.contest import (
    MOST_SEEDS,
    Contest,
    Repetitions,
    confirms,
    defaults_of,
    fresh_seeds,
)
from hopsml_flows.trials.confirmation.promotion import (
    PROBABILITY,
    Champion,
    Decision,
    Promotion,
    decide,
    has_params,
)
from hopsml_flows.trials.confirmation.statistics import (
    LEVEL,
    Comparison,
    Estimate,
    compare,
    estimate,
)
from hopsml_flows.trials.confirmation.words import confirmation_facts, promotion_text

__all__ = [
    "FORM",
    "LEVEL",
    "METHOD",
    "MOST_SEEDS",
    "PROBABILITY",
    "Approval",
    "Champion",
    "Comparison",
    "Confirmation",
    "Contest",
    "Contestant",
    "Decision",
    "Estimate",
    "Judged",
    "Promotion",
    "Repetitions",
    "Role",
    "compare",
    "confirmation_facts",
    "confirms",
    "decide",
    "defaults_of",
    "estimate",
    "fresh_seeds",
    "has_params",
    "promotion_text",
    "proposal_facts",
    "told_approval",
]
