"""Studies: one thing is varied and everything else held, on the same queries."""
