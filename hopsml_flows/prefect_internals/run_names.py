"""Names that Prefect makes up for flow runs: its server's, and those that its run form proposes.

A flow run does not say whether a user has chosen its name. Only Prefect's lists of words tell. A
name that a newer Prefect makes of other words counts as chosen.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from coolname.data import config

__all__ = ["is_made_up"]

_SERVER = re.compile(r"([a-z]+)-([a-z]+)")
"""Such as ``brown-fox``."""

_FORM = re.compile(
    r"(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho"
    r"|sigma|tau|upsilon|phi|chi|psi|omega)\d{0,3}-([a-z]+(?:-[a-z]+)??)"
    r"(?:-(?:[a-z]|adjunct|anomaly|band|boundary|cloud|cluster|collapse|conflux|expanse|field"
    r"|fringe|instability|manifold|mass|nebula|point|quadrant|reach|ring|sector|shift|tensor"
    r"|terminus|vector|void|warp))?"
)
"""Such as ``kappa4-sirius`` and ``alpha-canis-majoris-void``."""


def is_made_up(name: str) -> bool:
    """Whether Prefect has made a name up.

    Args:
        name: The name of a flow run.
    """
    if (pair := _SERVER.fullmatch(name)) and pair[1] in _words("adj_any"):
        return pair[2] in _words("subj")
    proposed = _FORM.fullmatch(name)
    return proposed is not None and proposed[1] in _form_words()


@cache
def _words(part: str) -> frozenset[str]:
    """The words of a part of a name, in the lists of the library that Prefect's server uses."""
    described: Any = config[part]
    words = set(described.get("words", ()))
    return frozenset(words.union(*map(_words, described.get("lists", ()))))


@cache
def _form_words() -> frozenset[str]:
    """The stars, peoples and places that Prefect's run form makes names of."""
    text = resources.files(__package__).joinpath("form_words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
