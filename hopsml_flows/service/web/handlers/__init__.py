"""Answers to requests: each reads what its page shows from the index and the project."""
