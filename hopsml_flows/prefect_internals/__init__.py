"""All uses of Prefect's private or undocumented parts, one small function each.

Checked with Prefect 3.8.8. ``tests/unit/test_prefect_internals.py`` calls each with the real
Prefect, and fails when another module of the project uses such a part.
"""
