"""Models without some of their layers: of Keras 3, tf-keras, PyTorch and scikit-learn.

A model's library is recognised by its classes. So none is imported that the model does not need.
"""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import Any

from hopsml_flows.ablation.structure import Structure
from hopsml_flows.errors import AblationError

__all__ = ["structure_of", "without_layers"]


def structure_of(model: Any) -> Structure:
    """Return the layers of a model.

    Args:
        model: A Keras model, a PyTorch module or a scikit-learn pipeline.

    Raises:
        AblationError: It is none, or its layers cannot be left out.
    """
    structure: Structure = _home(model).structure_of(model)
    return structure


def without_layers(model: Any, names: Collection[str], *, adapt: bool = False) -> Any:
    """Return a model without some of its layers.

    Args:
        model: The model. It must not be used any more.
        names: Names of the layers.
        adapt: Whether a layer that fits shapes to each other may take the place of one that is
            left out.

    Raises:
        AblationError: What is left does not fit together; the message names layers and shapes.
    """
    return _home(model).without_layers(model, names, adapt=adapt)


def _home(model: Any) -> ModuleType:
    """Return the module for a model's library."""
    libraries = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if libraries & {"keras", "tf_keras"}:
        from hopsml_flows.ablation.rewiring import keras_models

        return keras_models
    if "torch" in libraries:
        from hopsml_flows.ablation.rewiring import torch_modules

        return torch_modules
    if hasattr(model, "steps") and hasattr(model, "set_params"):
        from hopsml_flows.ablation.rewiring import pipelines

        return pipelines
    raise AblationError(
        f"no layer can be left out of a {type(model).__name__}, which is no Keras model, PyTorch "
        "module or scikit-learn pipeline: make the models without it yourself, and add each with "
        "study.model.add_custom_model_generator"
    )
