"""PyTorch modules without some of their children: an identity takes the place of each."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Any

from hopsml_flows.ablation.structure import Structure, chain
from hopsml_flows.errors import AblationError

__all__ = ["structure_of", "without_layers"]


def structure_of(model: Any) -> Structure:
    """Return the modules inside of a module, by their dotted names, in the order of registration.

    The first and the last one without children, and what holds them, are never left out.

    Args:
        model: The module.
    """
    names = [name for name, _ in model.named_modules() if name]
    leaves = [name for name, one in model.named_modules() if name and not any(one.children())]
    ends = leaves[:1] + leaves[-1:]
    fixed = {name for name in names for end in ends if name == end or end.startswith(f"{name}.")}
    return Structure(tuple(names), frozenset(fixed), chain(names).calls)


def without_layers(model: Any, names: Collection[str], *, adapt: bool = False) -> Any:
    """Return a module in which an identity stands for each of some modules.

    Args:
        model: The module, which is changed.
        names: Dotted names of modules.
        adapt: Whether a linear layer without bias stands for one whose output has another size
            than its input.

    Raises:
        AblationError: A module's output has another size than its input, and ``adapt`` is false.
    """
    outermost = [name for name in names if not any(name.startswith(f"{o}.") for o in names)]
    for name in outermost:
        path, _, child = name.rpartition(".")
        parent = model.get_submodule(path) if path else model
        setattr(parent, child, _standing_in(name, model.get_submodule(name), adapt=adapt))
    return model


def _standing_in(name: str, module: Any, *, adapt: bool) -> Any:
    torch = import_module("torch")
    sizes = _sizes(module)
    if sizes is None or sizes[0] == sizes[1]:
        return torch.nn.Identity()
    kind = type(module).__name__
    if not adapt:
        raise AblationError(
            f"layer {name!r} ({kind}) cannot be left out: it takes shape (…, {sizes[0]}) and gives "
            f"(…, {sizes[1]}), which what follows needs. adapt=True puts a linear layer there"
        )
    if kind in ("Linear", "Conv1d", "Conv2d", "Conv3d"):
        like = {"device": module.weight.device, "dtype": module.weight.dtype}
        of_images = {} if kind == "Linear" else {"kernel_size": 1, "stride": module.stride}
        return getattr(torch.nn, kind)(*sizes, bias=False, **of_images, **like)
    raise AblationError(f"no adapter is known for layer {name!r} ({kind}), from {sizes}")


def _sizes(module: Any) -> tuple[int, int] | None:
    """Return a module's numbers of features or channels, in and out; None where it tells none.

    Of several modules one after the other, they are those of the first and the last that tell.
    """
    for first, last in (("in_features", "out_features"), ("in_channels", "out_channels")):
        if hasattr(module, first) and hasattr(module, last):
            return int(getattr(module, first)), int(getattr(module, last))
    told = [sizes for child in module.children() if (sizes := _sizes(child)) is not None]
    return (told[0][0], told[-1][1]) if told else None
