"""The driver: runs the trials of one experiment from its plan to its report."""
