"""The trial that does nothing."""

from __future__ import annotations


def noop(x):
    return x
