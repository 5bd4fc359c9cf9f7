"""From samples to training batches: pseudo labels, episodes, augmentation, shards and loading."""
