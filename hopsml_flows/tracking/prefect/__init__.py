"""What Prefect is told of an experiment: artifacts, events, task runs and their logs."""
