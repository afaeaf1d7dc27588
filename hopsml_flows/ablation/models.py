"""Makes the model of a trial: the base model without a component, or a custom model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

from hopsml_flows.ablation.components import Component, Kind
from hopsml_flows.ablation.datasets import told
from hopsml_flows.ablation.generators import ABLATED, called, takes
from hopsml_flows.ablation.model_size import parameters_of
from hopsml_flows.ablation.rewiring import structure_of, without_layers
from hopsml_flows.ablation.rewiring.pipelines import without_columns
from hopsml_flows.ablation.structure import Structure
from hopsml_flows.ablation.study import StudyParts
from hopsml_flows.errors import AblationError

__all__ = ["ModelFunction", "names_begin_again"]


class ModelFunction:
    """What a training function gets as ``model_function``: makes the model of its trial.

    Args:
        parts: The study.
        components: What the trial leaves out of the model; a custom model stands in its place.
        features: The features that the trial leaves out of the data.
        adapt: Whether a linear layer may take the place of a layer that is left out.

    Example:
        >>> parts = StudyParts((), custom_models={"wide": lambda: "a wide model"})
        >>> ModelFunction(parts, [Component(Kind.CUSTOM, ("wide",))], [])()
        'a wide model'
    """

    def __init__(
        self,
        parts: StudyParts,
        components: Sequence[Component],
        features: Sequence[str],
        *,
        adapt: bool = False,
    ) -> None:
        self._parts = parts
        self._components = tuple(components)
        self._features = tuple(features)
        self._adapt = adapt
        self._last: Any = None
        self._counted: int | None = None

    @property
    def parameters(self) -> int | None:
        """How many parameters the model has that was made last; None if that is not known.

        A model that is built, or fitted, only after it was made is counted when it is asked for.
        """
        return self._counted if self._last is None else parameters_of(self._last)

    def __call__(self) -> Any:
        """Make the model.

        Returns:
            A new model on each call.

        Raises:
            AblationError: The study has no base model, or what is left does not fit together.
        """
        self._last = None  # two models may be too large for a GPU
        model = self._model()
        self._counted = parameters_of(model)
        if self._counted is None:
            self._last = model
        return model

    def _model(self) -> Any:
        custom = [one for one in self._components if one.kind is Kind.CUSTOM]
        if custom:
            return self._made(self._parts.custom_models[custom[0].names[0]])
        if self._parts.base_model is None:
            raise AblationError(
                "the study has no base model: call study.model.set_base_model_generator(f), with a "
                "function f that returns it"
            )
        model = self._made(self._parts.base_model)
        if not self._components:
            return model
        structure = structure_of(model)
        named = [structure.named(one) for one in self._components]
        _check_apart(self._components, named, is_keras=hasattr(model, "get_layer"))
        names = dict.fromkeys(name for part in named for name in part)
        left = without_layers(model, list(names), adapt=self._adapt)
        _check_absent(left, structure, names)
        return left

    def _made(self, generator: Callable[..., Any]) -> Any:
        names_begin_again()
        model = called(generator, {ABLATED: told(self._features)})
        if not self._features:
            return model
        return without_columns(
            model,
            self._features,
            self._parts.feature_names,
            is_told=takes(generator, ABLATED),
        )


def names_begin_again() -> None:
    """Let Keras name layers without a name as in a new process: trials may share one."""
    for counting in ("keras.src.utils.naming", "tf_keras.backend"):
        reset = getattr(sys.modules.get(counting), "reset_uids", None)
        if reset is not None:  # without it, layers need names of their own
            reset()


def _check_apart(
    components: Sequence[Component], named: Sequence[Sequence[str]], *, is_keras: bool
) -> None:
    """Check that no component of a pair is a part of the other one: they would not interact."""
    inside = () if is_keras else (".", "__")  # of PyTorch and scikit-learn
    for part, whole in permutations(range(len(named)), 2):
        begins = tuple(f"{name}{mark}" for name in named[whole] for mark in inside)
        if all(name in named[whole] or name.startswith(begins) for name in named[part]):
            raise AblationError(
                f"{components[part].value!r} is a part of {components[whole].value!r}: to leave "
                "out both is to leave out the larger one, and says nothing about an interaction"
            )


def _check_absent(model: Any, before: Structure, names: dict[str, None]) -> None:
    """Check that what was left out is gone; identities that stand for it have other names."""
    if before.layers and hasattr(model, "get_layer"):
        there = {layer.name for layer in model.layers}.intersection(names)
        if there:
            raise AblationError(f"layers are still in the model: {', '.join(sorted(there))}")
