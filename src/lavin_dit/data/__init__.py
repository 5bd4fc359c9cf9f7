"""From sources to batches: episodes, mixtures of tasks, tar shards and the loader.

Whatever is drawn is a pure function of a seed and a position, so that neither the number of
workers and ranks nor an interruption changes what a model is trained on. Only ``loader`` knows
torch.
"""
