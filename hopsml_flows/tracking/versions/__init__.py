"""Captures what ran, so that it can be run again: the program and its environment.

Nothing here needs a network, and nothing changes what it looks at. Secrets are left out: files that
usually hold them, and what URLs say of users and tokens.
"""
