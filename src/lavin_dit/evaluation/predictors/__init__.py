"""What answers questions: baselines that need no network, and the pipeline."""
