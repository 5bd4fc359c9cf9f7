"""Metrics as pure functions of NumPy arrays, and states that merge.

A function here turns one prediction and its truth into a *state*: a frozen record with ``merge``
and ``scores``. Merging the states of parts gives exactly the state of the whole, so that samples
may be scored in any order, on any number of machines. Where a metric aligns the prediction first,
its name says so: ``abs_rel_lstsq``.
"""
