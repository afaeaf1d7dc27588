"""Ablation studies: what each part of a model, or of its data, contributes.

Example:
    >>> study = AblationStudy()
    >>> study.features.include("age", "fare")
    >>> study.features.list_all()
    age
    fare
"""

from hopsml_flows.ablation.study import AblationStudy

__all__ = ["AblationStudy"]
