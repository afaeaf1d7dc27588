"""What an ablation study leaves out: its components, and how files of trials name them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["BASE", "FEATURE", "LAYER", "NOTHING", "Component", "Kind", "label_of", "together"]

FEATURE = "ablated_feature"
"""Hyperparameter that names the feature that a trial leaves out, as in Maggy."""

LAYER = "ablated_layer"
"""Hyperparameter that names what a trial leaves out of the model, as in Maggy."""

NOTHING = "None"
"""Their value where nothing is left out."""

BASE = "base"
"""Label of the arm that leaves nothing out."""

_PREFIXED = "Layers prefixed "
_CUSTOM = "Custom model: "
_MODULE = "Module: "


class Kind(StrEnum):
    """Kinds of components."""

    FEATURE = "feature"
    LAYER = "layer"
    GROUP = "group"
    PREFIX = "prefix"
    MODULE = "module"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Component:
    """A part that one arm of a study leaves out.

    Args:
        kind: What it is.
        names: The feature; the layer, or the layers of a group; the prefix; the first and the last
            layer of a module; or the identifier of a custom model.

    Example:
        >>> Component(Kind.PREFIX, ("my_dense",)).value
        'Layers prefixed my_dense'
        >>> Component(Kind.GROUP, ("two", "four")).value
        ['two', 'four']
    """

    kind: Kind
    names: tuple[str, ...]

    @property
    def is_feature(self) -> bool:
        """Whether it is a part of the data rather than of the model."""
        return self.kind is Kind.FEATURE

    @property
    def value(self) -> str | list[str]:
        """What ``.hparams.json`` has of it."""
        match self.kind:
            case Kind.GROUP:
                return list(self.names)
            case Kind.PREFIX:
                return _PREFIXED + self.names[0]
            case Kind.CUSTOM:
                return _CUSTOM + self.names[0]
            case Kind.MODULE:
                return f"{_MODULE}{self.names[0]} to {self.names[1]}"
        return self.names[0]

    def overlaps(self, other: Component) -> bool:
        """Whether leaving out both is the same as leaving out one, as far as names tell.

        Args:
            other: Another component of the study.
        """
        if self.is_feature or other.is_feature:
            return False
        if Kind.CUSTOM in (self.kind, other.kind):  # it stands in place of the whole model
            return True
        return self._covers(other) or other._covers(self)

    def _covers(self, other: Component) -> bool:
        """Whether it has one of the other's names."""
        if self.kind is Kind.PREFIX:
            prefix = self.names[0].lower()
            return any(name.lower().startswith(prefix) for name in other.names)
        return not set(self.names).isdisjoint(other.names)


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of an arm that leaves out what two others do.

    Args:
        one: The hyperparameters of an arm.
        other: Those of another one.

    Example:
        >>> age = {"ablated_feature": "age", "ablated_layer": "None"}
        >>> together(age, {"ablated_feature": "fare", "ablated_layer": ["two", "four"]})
        {'ablated_feature': 'age + fare', 'ablated_layer': ['two', 'four']}
    """
    return {name: _both(one[name], other[name]) for name in (FEATURE, LAYER)}


def label_of(params: Mapping[str, Any]) -> str:
    """Return the label of the arm that hyperparameters belong to.

    Args:
        params: What ``.hparams.json`` has.

    Example:
        >>> label_of({"ablated_feature": "None", "ablated_layer": "None"})
        'base'
        >>> label_of({"ablated_feature": "age", "ablated_layer": "None"})
        'feature age'
        >>> label_of({"ablated_feature": "None", "ablated_layer": ["two", "four"]})
        'layers two, four'
    """
    parts = []
    feature, layer = params.get(FEATURE, NOTHING), params.get(LAYER, NOTHING)
    if feature != NOTHING:
        parts.append(f"feature {feature}")
    if isinstance(layer, (list, tuple)):
        parts.append(f"layers {', '.join(layer)}")
    elif layer != NOTHING:
        is_named = layer.startswith((_PREFIXED, _CUSTOM, _MODULE))
        parts.append(f"{layer[0].lower()}{layer[1:]}" if is_named else f"layer {layer}")
    return " + ".join(parts) or BASE


def _both(one: Any, other: Any) -> Any:
    if NOTHING in (one, other):
        return other if one == NOTHING else one
    texts = [value if isinstance(value, str) else f"[{', '.join(value)}]" for value in (one, other)]
    return " + ".join(texts)
