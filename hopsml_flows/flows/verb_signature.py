"""A verb's signature and docstring, with the options that it takes written out.

Source code says ``**options: Unpack[SearchOptions]``. Prefect's run forms, ``inspect.signature``,
``help`` and IPython need each option by name; here they get it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from hopsml_flows.plan.options import Option, declared
from hopsml_flows.text import argument_entry

__all__ = ["VerbSignature"]

_ARGUMENTS = re.compile(r"^Args:\n(?P<entries>(?:    .*\n|\n(?=    ))+)", re.MULTILINE)
_ENTRY = re.compile(r"^    (?P<name>\**\w+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A type that run forms are made of, and that ``inspect`` and IPython show by a short name.

    Args:
        annotation: The type, with its JSON schema.
    """

    annotation: Any

    def __repr__(self) -> str:
        return _short(self.annotation)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(self.annotation)


@dataclass(frozen=True, slots=True)
class VerbSignature:
    """What a verb takes.

    Args:
        signature: Its arguments. Run forms are made of their types, which have short names.
        doc: The docstring.
    """

    signature: inspect.Signature
    doc: str

    @classmethod
    def of(cls, verb: Callable[..., Any], returns: type) -> VerbSignature:
        """Write a verb's options out.

        Args:
            verb: A function whose last parameter may be ``**options: Unpack[…]`` of a
                ``TypedDict`` of :mod:`hopsml_flows.plan.options`.
            returns: What its flow returns.
        """
        options: dict[str, tuple[Any, Option]] = {}
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(verb, eval_str=True).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                (kind,) = get_args(parameter.annotation)
                options = declared(kind)
                parameters += _named(options)
            else:
                parameters.append(parameter)
        shown = [p.replace(annotation=_Shown(p.annotation)) for p in parameters]
        words = {name: option.words for name, (_, option) in options.items()}
        return cls(
            inspect.Signature(shown, return_annotation=returns),
            _documented(verb.__doc__ or "", [p.name for p in parameters], words),
        )


def _named(options: Mapping[str, tuple[Any, Option]]) -> Iterator[inspect.Parameter]:
    for name, (annotation, option) in options.items():
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation
        )


def _short(annotation: Any) -> str:
    """A type without its package, its arguments and its schema."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _short(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_short(part) for part in get_args(annotation)))
    if annotation is NoneType:
        return "None"
    named = origin or annotation
    return str(getattr(named, "__name__", named))


def _documented(doc: str, names: list[str], words: Mapping[str, str]) -> str:
    """A docstring whose arguments are complete, in the order of the signature.

    Args:
        doc: The verb's own docstring; what it says of an argument is kept.
        names: All arguments.
        words: Descriptions of the options.
    """
    clean = inspect.cleandoc(doc) + "\n"
    found = _ARGUMENTS.search(clean)
    if found is None:
        return clean
    entries = _entries(found["entries"])
    lines = [
        entries[name] if name in entries else argument_entry(name, words[name])
        for name in names
        if name in entries or name in words
    ]
    block = "Args:\n" + "\n".join(lines) + "\n"
    return clean[: found.start()] + block + clean[found.end() :]


def _entries(block: str) -> dict[str, str]:
    starts = [*_ENTRY.finditer(block)]
    ends = [*(start.start() for start in starts[1:]), len(block)]
    return {
        start["name"].lstrip("*"): block[start.start() : end].rstrip()
        for start, end in zip(starts, ends, strict=True)
    }
