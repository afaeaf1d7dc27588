"""Read and follow the logs of an experiment's trials."""
