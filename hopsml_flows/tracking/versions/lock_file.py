"""Describes the installed packages as a lock file, ``pylock.toml`` (PEP 751), without a network.

An installer keeps where a package came from only if that was a URL, a repository or a directory
(``direct_url.json``). Of a package from an index, neither the address nor the hash of its wheel is
kept. Its entry has the wheel's name, rebuilt from its tags, and in place of the hash that of the
installed package's list of files, under the name ``record-sha256``. So a tool that installs from
the file refuses such an entry, rather than to install something else.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any
from urllib.parse import unquote, urlsplit

from hopsml_flows.tracking.versions.installed import Installed, headers
from hopsml_flows.tracking.versions.secret_names import without_user
from hopsml_flows.tracking.versions.toml_text import toml_text

__all__ = ["RECORD_HASH", "lock_text"]

RECORD_HASH = "record-sha256"
"""Name of the hash of an installed package's RECORD."""

_TOOL = "hopsml-flows"


def lock_text(packages: Iterable[Installed], machine: Mapping[str, Any] | None = None) -> str:
    """Return a lock file of an environment.

    Args:
        packages: The installed packages, each once.
        machine: More about the environment, for the file's own table.

    Returns:
        A valid ``pylock.toml``. Packages that it cannot describe are listed in its table
        ``tool.hopsml-flows``, under ``left-out``.
    """
    from packaging.pylock import Pylock, PylockValidationError

    entries, left_out = [], []
    for package in packages:
        try:
            entries.append(_entry(package))
        except (ValueError, LookupError, TypeError, AttributeError):
            left_out.append(package.key)
    try:
        lock = Pylock.from_dict(_document(entries, machine, left_out))
    except PylockValidationError:  # of one or some of the entries
        left_out += [entry["name"] for entry in entries if not _is_valid(entry)]
        entries = [entry for entry in entries if entry["name"] not in left_out]
        lock = Pylock.from_dict(_document(entries, machine, left_out))
    return toml_text(lock.to_dict())


def _is_valid(entry: Mapping[str, Any]) -> bool:
    from packaging.pylock import Pylock, PylockValidationError

    try:
        Pylock.from_dict(_document([entry], None, []))
    except PylockValidationError:
        return False
    return True


def _document(
    entries: list[Any], machine: Mapping[str, Any] | None, left_out: list[str]
) -> dict[str, Any]:
    major, minor, *_ = platform.python_version_tuple()
    own = {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        **(machine or {}),
        **({"left-out": sorted(left_out)} if left_out else {}),
    }
    return {
        "lock-version": "1.0",
        "environments": [_environment()],
        "requires-python": f"=={major}.{minor}.*",
        "created-by": _TOOL,
        "packages": entries,
        "tool": {_TOOL: own},
    }


def _environment() -> str:
    return (
        f"sys_platform == '{sys.platform}' and platform_machine == '{platform.machine()}'"
        f" and implementation_name == '{sys.implementation.name}'"
    )


def _entry(package: Installed) -> dict[str, Any]:
    """A package's table in the lock file.

    Raises:
        ValueError: Its metadata are not what an installer writes.
    """
    distribution = package.distribution
    entry: dict[str, Any] = {"name": package.key, "version": package.version}
    direct = distribution.read_text("direct_url.json")
    if direct:
        return entry | _direct(json.loads(direct), distribution)
    wheel = headers(distribution.read_text("WHEEL"))
    tags = [tag.split("-") for tag in wheel.get("Tag", ())]
    if not tags:
        raise ValueError(f"{package.name} was not installed from a wheel")
    columns = [".".join(sorted({tag[place] for tag in tags})) for place in range(3)]
    name = package.key.replace("-", "_")
    file = f"{'-'.join([name, package.version, *wheel.get('Build', ()), *columns])}.whl"
    hashes = {RECORD_HASH: _record_hash(distribution)}
    return entry | {"wheels": [{"name": file, "path": file, "hashes": hashes}]}


def _direct(direct: Mapping[str, Any], distribution: metadata.Distribution) -> dict[str, Any]:
    """Where a package came from that was not taken from an index (PEP 610)."""
    url = without_user(direct["url"])
    within = {"subdirectory": direct["subdirectory"]} if direct.get("subdirectory") else {}
    if (directory := direct.get("dir_info")) is not None:
        editable = {"editable": True} if directory.get("editable") else {}
        return {"directory": {"path": unquote(urlsplit(url).path), **editable, **within}}
    if (vcs := direct.get("vcs_info")) is not None:
        revision = vcs.get("requested_revision")
        return {
            "vcs": {
                "type": vcs["vcs"],
                "url": url,
                **({"requested-revision": revision} if revision else {}),
                "commit-id": vcs["commit_id"],
                **within,
            }
        }
    archive = direct.get("archive_info") or {}
    hashes = dict(archive.get("hashes") or {})
    if not hashes and "=" in (archive.get("hash") or ""):
        hashes = dict([archive["hash"].split("=", 1)])
    return {
        "archive": {
            "url": url,
            "hashes": hashes or {RECORD_HASH: _record_hash(distribution)},
            **within,
        }
    }


def _record_hash(distribution: metadata.Distribution) -> str:
    record = distribution.read_text("RECORD") or distribution.read_text("installed-files.txt") or ""
    return hashlib.sha256(record.encode()).hexdigest()
