"""What a record says of the program's and the environment's versions, for a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.storage import ExperimentFiles

__all__ = ["kept_files", "version_facts"]


def version_facts(versions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and text of each fact that a record has.

    Args:
        versions: The record's ``versions``. It is a file's content: anything may be wrong in it.

    Example:
        >>> version_facts({"python": "3.12.1", "git": {"commit": "c0ffee", "dirty": True}})
        [('Python', '3.12.1'), ('Commit', 'c0ffee, with changes')]
    """
    git, modules = _table(versions, "git"), _table(versions, "modules")
    commit = _text(git, "commit")
    if commit and git.get("dirty") is True:
        commit += ", with changes"
    left_out = [*_texts(git, "left_out"), *_texts(modules, "left_out")]
    facts = [
        ("Python", _text(versions, "python")),
        ("Platform", _text(versions, "platform")),
        ("GPUs", ", ".join(_texts(versions, "gpus"))),
        ("GPU driver", _text(versions, "driver")),
        ("Commit", commit),
        ("Branch", _text(git, "branch")),
        ("Repository", _text(git, "remote")),
        ("Left out, as secret", ", ".join(dict.fromkeys(left_out))),
        ("Not kept", ", ".join(str(part) for part in _table(versions, "missing"))),
    ]
    return [(name, text) for name, text in facts if text]


def kept_files(versions: Mapping[str, Any]) -> list[str]:
    """Return the names of the files that are kept beside the program and the list of packages.

    Args:
        versions: The record's ``versions``.

    Example:
        >>> kept_files({"lock": "Experiments/digits-1/pylock.toml"})
        ['pylock.toml']
    """
    said = {
        ExperimentFiles.MODULES: _text(_table(versions, "modules"), "file"),
        ExperimentFiles.DIFFERENCE: _text(_table(versions, "git"), "difference"),
        ExperimentFiles.LOCK: _text(versions, "lock"),
        ExperimentFiles.CONDA: _text(versions, "conda"),
    }
    # The record says which there are; no path in it is followed.
    return [name for name, path in said.items() if path]


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    value = table.get(name)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
