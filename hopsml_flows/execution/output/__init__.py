"""The output of a trial: its log, and an excerpt of that for a display."""
