"""Protocols: a file for each task on the offline data, and for each number of the paper."""
