"""The logs of an experiment's trials: which there are, and what comes while they run."""
