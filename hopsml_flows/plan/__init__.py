"""An experiment's plan: what a verb was called with, judged before anything starts."""
