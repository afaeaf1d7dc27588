"""How the layers of a model hang together, and which of them a component means. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from hopsml_flows.ablation.components import Component, Kind
from hopsml_flows.ablation.datasets import nearest
from hopsml_flows.errors import AblationError, InvalidArgumentError

__all__ = ["Structure", "chain"]

Call = tuple[str, ...]
"""Names of the layers whose outputs a layer is called with."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The layers of a model.

    Args:
        layers: Their names, in order from input to output.
        fixed: Names of those that are never left out: the first and the last.
        calls: Name to the calls of a layer, of which a shared layer has several.

    Example:
        >>> structure = Structure(("one", "two", "three"), frozenset({"one", "three"}), {})
        >>> structure.named(Component(Kind.LAYER, ("two",)))
        ('two',)
        >>> structure.named(Component(Kind.LAYER, ("tow",)))
        Traceback (most recent call last):
        hopsml_flows.errors.InvalidArgumentError: layers.include: must be a layer of the base \
model, which has one, two, three; did you mean two?; got 'tow'
    """

    layers: tuple[str, ...]
    fixed: frozenset[str]
    calls: Mapping[str, tuple[Call, ...]]

    def named(self, component: Component) -> tuple[str, ...]:
        """Return the names of the layers that a component means, in order.

        Args:
            component: A component of the model.

        Raises:
            InvalidArgumentError: There is no such layer, or it is the first or the last one.
        """
        match component.kind:
            case Kind.LAYER:
                self._check("layers.include", component.names)
                return component.names
            case Kind.GROUP:
                self._check("layers.include_groups", component.names)
                return self._in_order(component.names)
            case Kind.PREFIX:
                return self._prefixed(component.names[0])
            case Kind.MODULE:
                self._check("modules.include", component.names)
                return self._between(*component.names)
        return ()

    def check_sources(self, removed: Collection[str]) -> None:
        """Check that of each layer that is removed, one input can take its place.

        Args:
            removed: Names of the layers.

        Raises:
            AblationError: One merges several inputs, and nothing says which stays.
        """
        for name in removed:
            for call in self.calls.get(name, ()):
                sources = {self._source(parent, removed) for parent in call}
                if len(sources) > 1:
                    raise AblationError(
                        f"layer {name!r} cannot be left out alone: it merges "
                        f"{' and '.join(sorted(sources))}, and nothing says which of them goes on. "
                        "Leave it out together with one of its ways, as a group or a module"
                    )

    def _source(self, name: str, removed: Collection[str]) -> str:
        while name in removed and self.calls.get(name):
            name = self.calls[name][0][0]
        return name

    def _check(self, argument: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.layers:
                raise InvalidArgumentError(
                    argument,
                    name,
                    f"must be a layer of the base model, which has {', '.join(self.layers)}"
                    f"{nearest(name, self.layers)}",
                )
            if name in self.fixed:
                raise InvalidArgumentError(
                    argument,
                    name,
                    f"must be a layer between the first and the last one; of {self._free()}",
                )

    def _free(self) -> str:
        return ", ".join(name for name in self.layers if name not in self.fixed) or "none"

    def _in_order(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in self.layers if name in names)

    def _prefixed(self, prefix: str) -> tuple[str, ...]:
        found = tuple(
            name
            for name in self.layers
            if name.lower().startswith(prefix.lower()) and name not in self.fixed
        )
        if not found:
            raise InvalidArgumentError(
                "prefix",
                prefix,
                "must begin the name of a layer between the first and the last one; "
                f"of {self._free()}{nearest(prefix, self.layers)}",
            )
        return found

    def _between(self, start: str, end: str) -> tuple[str, ...]:
        below = self._reached(start, self._children())
        above = self._reached(end, {name: self._parents(name) for name in self.layers})
        if end not in below:
            raise InvalidArgumentError(
                "modules.include", (start, end), f"must be a layer and one that {start!r} leads to"
            )
        return self._in_order((below & above) - self.fixed | {start, end})

    def _parents(self, name: str) -> set[str]:
        return {parent for call in self.calls.get(name, ()) for parent in call}

    def _children(self) -> dict[str, set[str]]:
        children: dict[str, set[str]] = {name: set() for name in self.layers}
        for name in self.layers:
            for parent in self._parents(name):
                children.setdefault(parent, set()).add(name)
        return children

    @staticmethod
    def _reached(start: str, ways: Mapping[str, Collection[str]]) -> set[str]:
        reached, waiting = {start}, [start]
        while waiting:
            for name in ways.get(waiting.pop(), ()):
                if name not in reached:
                    reached.add(name)
                    waiting.append(name)
        return reached


def chain(layers: Iterable[str], *, fixed: Iterable[str] | None = None) -> Structure:
    """Return the structure of layers that follow one another.

    Args:
        layers: Their names.
        fixed: Names of those that are never left out; None for the first and the last.

    Example:
        >>> chain(["one", "two", "three"]).calls["three"]
        (('two',),)
    """
    names = tuple(layers)
    ends = {names[0], names[-1]} if names else set()
    return Structure(
        names,
        frozenset(ends if fixed is None else fixed),
        {name: ((before,),) for before, name in pairwise(names)},
    )
