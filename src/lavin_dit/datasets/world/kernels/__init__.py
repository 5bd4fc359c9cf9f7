"""The renderer's inner functions, compiled by Numba for the CPU and for CUDA alike.

Positions and directions are tuples (x, y, z) in metres of the world, z up. All arithmetic is single
precision: float literals become so when a function is compiled, and no integer meets a float.
"""
