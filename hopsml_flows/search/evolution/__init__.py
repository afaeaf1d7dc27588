"""Differential evolution: the search, and the parts that it is made of."""
