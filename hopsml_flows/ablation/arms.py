"""From a study's components to its arms: what is trained, in a fixed order. Pure.

Each arm leaves one component out (LOCO, leave one component out). With interactions, further arms
leave two out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hopsml_flows.ablation.components import FEATURE, LAYER, NOTHING, Component, label_of, together
from hopsml_flows.errors import InvalidArgumentError

__all__ = ["Arm", "arms_of"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train: with everything, or without some components.

    Args:
        components: What it leaves out; none in the base arm.

    Example:
        >>> Arm(()).params
        {'ablated_feature': 'None', 'ablated_layer': 'None'}
    """

    components: tuple[Component, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The features that it leaves out."""
        return tuple(name for one in self.components if one.is_feature for name in one.names)

    @property
    def of_model(self) -> tuple[Component, ...]:
        """What it leaves out of the model."""
        return tuple(one for one in self.components if not one.is_feature)

    @property
    def params(self) -> dict[str, Any]:
        """Its hyperparameters, as ``.hparams.json`` has them."""
        params: dict[str, Any] = {FEATURE: NOTHING, LAYER: NOTHING}
        for one in self.components:
            place = FEATURE if one.is_feature else LAYER
            params = together(params, {FEATURE: NOTHING, LAYER: NOTHING, place: one.value})
        return params

    @property
    def label(self) -> str:
        """What tables and pictures call it; "base" of the base arm."""
        return label_of(self.params)


def arms_of(components: Sequence[Component], *, interactions: int = 1) -> tuple[Arm, ...]:
    """Return the arms of a study: the base first, then one for each component, then the pairs.

    Args:
        components: The components, in the order in which they are left out.
        interactions: 1, or 2 for arms that leave two components out. Two components that share
            layers are no pair, nor are a custom model and a layer.

    Raises:
        InvalidArgumentError: Two arms cannot be told apart.

    Example:
        >>> from hopsml_flows.ablation.components import Kind
        >>> parts = [Component(Kind.FEATURE, ("age",)), Component(Kind.LAYER, ("two",))]
        >>> [arm.label for arm in arms_of(parts, interactions=2)]
        ['base', 'feature age', 'layer two', 'feature age + layer two']
    """
    arms = [Arm(()), *(Arm((one,)) for one in components)]
    if interactions == 2:
        pairs = combinations(components, 2)
        arms += [Arm(pair) for pair in pairs if not pair[0].overlaps(pair[1])]
    labels: dict[str, Arm] = {}
    for arm in arms:
        other = labels.setdefault(arm.label, arm)
        if other is not arm:
            raise InvalidArgumentError(
                "study", arm.label, because="two of its components, or pairs, have this name"
            )
    return tuple(arms)
