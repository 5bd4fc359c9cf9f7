"""The vision side: clips, their annotations, and how annotations become RGB pictures and back.

Everything here is NumPy and has never heard of a network.
"""
