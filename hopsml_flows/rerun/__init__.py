"""Runs trials of an earlier experiment again, from what its directory keeps, and compares them.

:mod:`~hopsml_flows.rerun.verb` is what users call. :mod:`~hopsml_flows.rerun.request` reads the
experiment and judges whether it can be repeated; the saved program runs in a process of its own,
:mod:`~hopsml_flows.rerun.child`, so that it meets no other module of the same name.
"""
