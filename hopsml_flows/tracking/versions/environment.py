"""Lists the installed packages as pip's requirements."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from hopsml_flows.tracking.versions.installed import Installed, installed_packages

__all__ = ["environment_text"]


def environment_text(
    packages: Sequence[Installed] | None = None, machine: Sequence[str] = ()
) -> str:
    """Return a requirements file of this environment, which pip can install from.

    Comments name Python's version and the platform. Each installed package is one line.

    Args:
        packages: The installed packages; None to look for them.
        machine: Further lines about the machine, for comments.
    """
    lines = [
        f"# Python {platform.python_version()} ({sys.implementation.name})",
        f"# {platform.platform()}",
        *(f"# {line}" for line in machine),
    ]
    found = installed_packages() if packages is None else packages
    in_order = sorted(found, key=lambda package: package.name.lower())
    lines += [f"{package.name}=={package.version}" for package in in_order]
    return "\n".join(lines) + "\n"
