"""The group of processes that one distributed trial is: shape, gang, variables, placement. Pure."""
