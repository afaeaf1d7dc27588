"""Confirmation of a search's winner on fresh seeds, and what follows from it. Pure.

:mod:`student_t` is the distribution, :mod:`statistics` the estimates, :mod:`contest` says which
trials to run, :mod:`confirmation` what came of them, :mod:`promotion` whether the winner becomes
the champion.
"""

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
    "LEVEL",
    "METHOD",
    "MOST_SEEDS",
    "PROBABILITY",
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
    "promotion_text",
]
