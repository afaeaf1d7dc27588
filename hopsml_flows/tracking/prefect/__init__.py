"""Show an experiment in Prefect: artifacts, events, task runs and their logs."""
