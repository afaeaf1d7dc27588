"""Differential evolution: the search and its parts."""
