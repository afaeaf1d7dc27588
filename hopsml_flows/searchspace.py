"""Maggy's search space, under its module's name.

Example:
    >>> from hopsml_flows import Searchspace
    >>> Searchspace(kernel=("INTEGER", [2, 8]), dropout=("DOUBLE", [0.01, 0.99])).keys()
    ['kernel', 'dropout']
"""

from __future__ import annotations

from hopsml_flows.maggy.searchspace import Searchspace

__all__ = ["Searchspace"]
