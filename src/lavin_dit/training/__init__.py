"""Training: what is minimised, and the engine that minimises it."""
