"""A trial's files: its working directory, the files it returns, and their way to the project."""
