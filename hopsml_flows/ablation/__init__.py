"""Ablation studies: what each part contributes, and how sure that is.

Example:
    >>> study = AblationStudy()
    >>> study.features.include("age", "fare")
    >>> study.features.list_all()
    age
    fare
"""

from hopsml_flows.ablation.around import Around, SetBack, around_winner
from hopsml_flows.ablation.effects import Effect, effects, with_costs
from hopsml_flows.ablation.pairs import Interaction, interactions
from hopsml_flows.ablation.sequential import Decisions, SequentialRule, judge_all
from hopsml_flows.ablation.study import AblationStudy
from hopsml_flows.ablation.verdicts import Judged, Verdict, judge

__all__ = [
    "AblationStudy",
    "Around",
    "Decisions",
    "Effect",
    "Interaction",
    "Judged",
    "SequentialRule",
    "SetBack",
    "Verdict",
    "around_winner",
    "effects",
    "interactions",
    "judge",
    "judge_all",
    "with_costs",
]
