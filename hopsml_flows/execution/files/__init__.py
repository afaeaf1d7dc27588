"""A trial's files: its working directory, what it returned, and their way to the project."""
