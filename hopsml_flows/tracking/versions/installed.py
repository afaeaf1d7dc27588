"""Lists the packages that this process can import, as their installers describe them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

__all__ = ["Installed", "headers", "installed_packages"]


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed package.

    Args:
        name: Its name, as its author writes it.
        version: Its version.
        distribution: Reads the files that its installer wrote.
    """

    name: str
    version: str
    distribution: metadata.Distribution

    @property
    def key(self) -> str:
        """Its name as indexes and lock files have it."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


def installed_packages(
    distributions: Iterable[metadata.Distribution] | None = None,
) -> list[Installed]:
    """Return the installed packages, by name. Of several with one name, Python imports the first.

    Args:
        distributions: Where to look; None for what this process can import.
    """
    found: dict[str, Installed] = {}
    for distribution in metadata.distributions() if distributions is None else distributions:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
        told = headers(text)
        package = Installed(_first(told, "Name"), _first(told, "Version"), distribution)
        if package.name:
            found.setdefault(package.key, package)
    return [found[key] for key in sorted(found)]


def headers(text: str | None) -> dict[str, list[str]]:
    r"""Return the headers of a file in an installed package's metadata.

    Args:
        text: The file's content, or None. What follows its headers may be long and is not parsed.

    Example:
        >>> headers("Tag: py3-none-any\nTag: py2-none-any\n\nTag: text")
        {'Tag': ['py3-none-any', 'py2-none-any']}
    """
    found: dict[str, list[str]] = {}
    for line in (text or "").partition("\n\n")[0].splitlines():
        name, colon, value = line.partition(": ")
        if colon:
            found.setdefault(name, []).append(value.strip())
    return found


def _first(told: Mapping[str, list[str]], name: str) -> str:
    return told.get(name, [""])[0]
