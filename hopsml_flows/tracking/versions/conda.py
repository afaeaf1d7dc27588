"""Describes a conda environment as HopsML's ``environment.yml``, from its files alone.

``conda env export`` takes seconds. What it prints is in the environment's directory ``conda-meta``:
a file per package, and the history, which has the channels.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hopsml_flows.tracking.versions.installed import Installed

__all__ = ["conda_text"]

_CHANGE = re.compile(r"\+(?P<channel>.+?)/(?P<platform>[^/\s]+)::(?P<package>\S+)")
_TOKEN = re.compile(r"(?:^|/)t/[^/]+(?=/|$)")
_WRITTEN_BY_CONDA = "conda"
_MOST_BYTES = 8 << 20


def conda_text(packages: Sequence[Installed], prefix: str = sys.prefix) -> str | None:
    """Return the environment as ``conda env create`` takes it; None if it is none of conda's.

    Args:
        packages: The installed Python packages. Those that pip installed are listed as such.
        prefix: The environment's directory.
    """
    directory = Path(prefix, "conda-meta")
    if not directory.is_dir():
        return None
    found = sorted(
        tuple(file.stem.rsplit("-", 2))
        for file in directory.glob("*.json")
        if file.stem.count("-") >= 2
    )
    # The first word decides how YAML reads "1.0": names and versions are quoted.
    lines = [f"name: {_quoted(Path(prefix).name)}", "channels:"]
    lines += [f"  - {_quoted(channel)}" for channel in _channels(directory)]
    lines += ["dependencies:"]
    lines += [f"  - {_quoted('='.join(parts))}" for parts in found]
    by_pip = [package for package in packages if not _is_condas(package)]
    if by_pip:
        lines += ["  - pip:"]
        lines += [f"    - {_quoted(f'{package.key}=={package.version}')}" for package in by_pip]
    return "\n".join(lines) + "\n"


def _is_condas(package: Installed) -> bool:
    installer = package.distribution.read_text("INSTALLER") or ""
    return installer.strip() == _WRITTEN_BY_CONDA


def _channels(directory: Path) -> list[str]:
    """The channels that packages came from, the one with most packages first."""
    try:
        with (directory / "history").open(errors="replace") as file:
            history = file.read(_MOST_BYTES)
    except OSError:
        return ["defaults"]
    counts: dict[str, int] = {}
    for change in _CHANGE.finditer(history):
        channel = _shown_channel(change["channel"])
        counts[channel] = counts.get(channel, 0) + 1
    return sorted(counts, key=lambda channel: -counts[channel]) or ["defaults"]


def _shown_channel(channel: str) -> str:
    """A channel without the token in its URL, as ``conda env export`` shows it."""
    bare = _TOKEN.sub("", channel)
    scheme, colon, rest = bare.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if colon else bare


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
