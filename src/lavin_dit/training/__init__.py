"""Training: one loop, an objective for each network, and everything that lets a run be resumed.

Read `lavin_dit.training.loop` first; it reads as a run goes.
"""
