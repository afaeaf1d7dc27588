"""Keras models, of Keras 3 and tf-keras, without some of their layers.

A model is built once more, from new layers with the same configurations. Whatever was fed by a
layer that is left out gets that layer's input. Layers whose weights keep their shapes keep their
weights; others, which follow something of another size, begin with new ones.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from hopsml_flows.ablation.structure import Structure, chain
from hopsml_flows.errors import AblationError

__all__ = ["structure_of", "without_layers"]


def structure_of(model: Any) -> Structure:
    """Return the layers of a sequential or functional model.

    The first layer, the last one, and inputs and outputs are never left out.

    Args:
        model: The model.

    Raises:
        AblationError: It is neither sequential nor functional.
    """
    if _is_sequential(model):
        return chain(layer.name for layer in model.layers)
    if not _is_functional(model):
        raise AblationError(
            f"no layer can be left out of {type(model).__name__!r}, a subclass of keras.Model with "
            "its own call(): make it of keras.Sequential or of keras.Input, or add the models "
            "without it with study.model.add_custom_model_generator"
        )
    config = model.get_config()
    calls = {
        entry["name"]: tuple(
            call for node in entry["inbound_nodes"] if (call := tuple(_parents(node)))
        )
        for entry in config["layers"]
    }
    inputs = {name for name, made in calls.items() if not made}
    names = [one.name for one in _operations(model)]
    first = [layer.name for layer in model.layers if layer.name not in inputs][:1]
    outputs = set(_parents(config["output_layers"]))
    return Structure(tuple(names), frozenset({*inputs, *first, *outputs}), calls)


def without_layers(model: Any, names: Collection[str], *, adapt: bool = False) -> Any:
    """Return a model without some of its layers.

    Args:
        model: The model.
        names: Names of the layers.
        adapt: Whether a linear layer may take the place of one that is left out, where what is
            left would not fit together.

    Raises:
        AblationError: What is left does not fit together.
    """
    structure_of(model).check_sources(names)
    if _is_sequential(model) and not model.built:
        layers = [layer for layer in model.layers if layer.name not in names]
        return _compiled(type(model)(layers, name=model.name), model)
    try:
        rebuilt = _finished(_rebuilt(model, names, adapt=False), model, names)
    except AblationError as error:
        if not adapt:
            raise AblationError(f"{error}. adapt=True puts a linear layer there") from error
        rebuilt = _finished(_rebuilt(model, names, adapt=True), model, names)
    return _compiled(rebuilt, model)


def _rebuilt(model: Any, names: Collection[str], *, adapt: bool) -> Any:
    library = _library(model)
    try:
        if _is_sequential(model):
            return _sequential(library, model, names, adapt=adapt)
        if library.__name__ == "keras":
            return _functional(library, model, names, adapt=adapt)
        return _legacy(library, model, names, adapt=adapt)
    except AblationError:
        raise
    except Exception as error:  # each layer has its own errors
        raise _does_not_fit(
            model, names, f"{type(error).__name__}: {_first_line(error)}"
        ) from error


def _finished(rebuilt: Any, model: Any, names: Collection[str]) -> Any:
    """Return the rebuilt model with the model's weights, if it gives what the model gave."""
    before, after = _shapes(model.outputs), _shapes(rebuilt.outputs)
    if before != after:
        raise _does_not_fit(
            model, names, f"the model would give shape {_told(after)} instead of {_told(before)}"
        )
    left = {layer.name: layer for layer in model.layers}
    for layer in rebuilt.layers:
        old = left.get(layer.name)
        if old is None or type(old) is not type(layer):
            continue
        weights = old.get_weights()
        if weights and [one.shape for one in weights] == [w.shape for w in layer.get_weights()]:
            layer.set_weights(weights)
        _freeze(layer, old)
    return rebuilt


def _freeze(layer: Any, old: Any) -> None:
    """Freeze what is frozen of a layer, which may be a model; setting it sets all layers inside."""
    if layer.trainable != old.trainable:
        layer.trainable = old.trainable
    for inner, inner_old in zip(
        getattr(layer, "layers", ()), getattr(old, "layers", ()), strict=False
    ):
        _freeze(inner, inner_old)


def _compiled(rebuilt: Any, model: Any) -> Any:
    """Compile a rebuilt model as the model was, with the very loss and metrics.

    A configuration names functions and classes of the user's, and names do not bring them back.
    """
    if not getattr(model, "compiled", getattr(model, "_is_compiled", False)):
        return rebuilt
    if type(rebuilt).compile is not _library(model).Model.compile:
        rebuilt.compile_from_config(model.get_compile_config())  # the user's own
        return rebuilt
    settings = dict(model._compile_config.config)  # noqa: SLF001 - what was given to compile()
    if hasattr(settings["optimizer"], "get_config"):  # it has variables of the model's weights
        settings["optimizer"] = _copied(settings["optimizer"])
    rebuilt.compile(**settings)
    return rebuilt


@contextmanager
def _not_compiled(model: Any) -> Iterator[None]:
    """While the model is cloned: Keras would compile the clone from a configuration."""
    was, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = was


def _sequential(library: ModuleType, model: Any, names: Collection[str], *, adapt: bool) -> Any:
    (fed,) = model.inputs
    value = library.Input(batch_shape=fed.shape, dtype=fed.dtype)
    layers: list[Any] = []
    for layer in model.layers:
        copied = _copied(layer) if library.__name__ == "tf_keras" else _own(layer)
        if layer.name not in names:
            value = _applied(model, names, copied, value)
            layers.append(copied)
        elif adapt and (adapter := _adapter(library, layer.name, value, copied(value))):
            value = adapter(value)
            layers.append(adapter)
    first = library.Input(batch_shape=fed.shape, dtype=fed.dtype)
    return library.Sequential([first, *layers], name=model.name)


def _functional(library: ModuleType, model: Any, names: Collection[str], *, adapt: bool) -> Any:
    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name not in names:
            return _applied(model, names, layer, *args, **kwargs)
        value = _one(next(given for given in (*args, *kwargs.values()) if _shapes(given)))
        if adapt:
            output = layer(*args, **kwargs)
            if adapter := _adapter(library, layer.name, value, output):
                return adapter(value)
        return value

    with _not_compiled(model):
        return library.models.clone_model(model, call_function=call, clone_function=_own)


def _legacy(library: ModuleType, model: Any, names: Collection[str], *, adapt: bool) -> Any:
    """tf-keras calls layers itself: an identity, or an adapter, stands for what is left out."""

    def clone(layer: Any) -> Any:
        if layer.name not in names:
            return _copied(layer)
        taken, given = layer.input, layer.output
        if adapt and (adapter := _adapter(library, layer.name, _one(taken), given)):
            return adapter
        name = f"without_{layer.name}"
        if isinstance(taken, (list, tuple)):
            return library.layers.Lambda(_one, name=name)
        return library.layers.Activation("linear", name=name)

    return library.models.clone_model(model, clone_function=clone)


def _applied(model: Any, names: Collection[str], layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a layer, or say which shapes do not fit."""
    try:
        return layer(*args, **kwargs)
    except Exception as error:  # each layer has its own errors
        got = _told(_shapes(args[:1]))
        raise _does_not_fit(
            model, names, f"{layer.name!r} cannot take shape {got}: {_first_line(error)}"
        ) from error


def _adapter(library: ModuleType, name: str, value: Any, output: Any) -> Any:
    """Return a linear layer from one shape to another; None where they are the same."""
    taken, given = tuple(value.shape), tuple(output.shape)
    if taken == given:
        return None
    layers, name = library.layers, f"adapter_of_{name}"
    if taken[:-1] == given[:-1]:
        return layers.Dense(given[-1], use_bias=False, name=name)
    if None in given[1:] or None in taken[1:]:
        raise AblationError(f"no adapter is known from shape {taken} to {given}: a length is open")
    if library.__name__ == "tf_keras":
        return _legacy_adapter(library, given[1:], name)
    size = math.prod(given[1:])
    return library.Sequential(
        [
            library.Input(batch_shape=taken, dtype=value.dtype),
            layers.Flatten(),
            layers.Dense(size, use_bias=False),
            layers.Reshape(given[1:]),
        ],
        name=name,
    )


def _legacy_adapter(library: ModuleType, shape: tuple[int, ...], name: str) -> Any:
    """As :func:`_adapter`. A model within a cloned model would shift tf-keras' count of calls."""

    class Adapter(library.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
            super().__init__(**settings)
            self.shape = tuple(shape)

        def build(self, taken: Any) -> None:
            size = (math.prod(taken[1:]), math.prod(self.shape))
            self.kernel = self.add_weight(name="kernel", shape=size)
            super().build(taken)

        def call(self, inputs: Any) -> Any:
            flat = library.backend.batch_flatten(library.backend.cast_to_floatx(inputs))
            return library.backend.reshape(flat @ self.kernel, (-1, *self.shape))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "shape": self.shape}

    return Adapter(shape, name=name)


def _does_not_fit(model: Any, names: Collection[str], why: str) -> AblationError:
    told = [
        f"{one.name!r} (from shape {_told(_shapes(one.input))} to {_told(_shapes(one.output))})"
        for one in _operations(model)
        if one.name in names
    ]
    which = "layer" if len(told) == 1 else "layers"
    return AblationError(
        f"without {which} {', '.join(told)} the rest of the model does not fit together: {why}"
    )


def _shapes(tensors: Any) -> list[tuple[Any, ...]]:
    if hasattr(tensors, "shape"):
        return [tuple(tensors.shape)]
    if isinstance(tensors, dict):
        tensors = list(tensors.values())
    if not isinstance(tensors, (list, tuple)):
        return []
    return [shape for one in tensors for shape in _shapes(one)]


def _told(shapes: list[tuple[Any, ...]]) -> str:
    return " and ".join(map(str, shapes))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


def _one(value: Any) -> Any:
    """Return the input that goes on where a layer is left out."""
    return value[0] if isinstance(value, (list, tuple)) else value


def _copied(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def _own(layer: Any) -> Any:
    """Return a new layer, or the layer itself if Keras cannot make it of its configuration.

    That is so of a function without a name, and of classes that have no configuration. The model
    is not used any more, so its layers may be.
    """
    try:
        return _copied(layer)
    except Exception:  # each layer has its own errors
        return layer


def _operations(model: Any) -> list[Any]:
    """The layers of a functional model, and what keras.ops and operators such as + stand for."""
    listed: list[Any] = getattr(model, "operations", model.layers)
    return listed


def _library(model: Any) -> ModuleType:
    is_legacy = any(kind.__module__.startswith("tf_keras.") for kind in type(model).__mro__)
    return sys.modules["tf_keras" if is_legacy else "keras"]


def _is_sequential(model: Any) -> bool:
    return isinstance(model, _library(model).Sequential)


def _is_functional(model: Any) -> bool:
    return any(kind.__name__ == "Functional" for kind in type(model).__mro__)


def _parents(value: Any) -> Iterator[str]:
    """Names of layers in a part of a configuration, as both libraries write them."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _parents(one)
    elif isinstance(value, (list, tuple)):
        if (
            len(value) >= 3
            and isinstance(value[0], str)
            and all(isinstance(place, int) for place in value[1:3])
        ):
            yield value[0]
            value = value[3:]  # keyword arguments may hold more of them
        for one in value:
            yield from _parents(one)
