"""One task per file, found by walking this folder: a new file is a new task.

A module of this package is a task. It holds a class that bears the module's name in
CapitalizedWords (``depth_estimation.py`` holds ``DepthEstimation``) and can be constructed without
arguments. Tasks do not import each other.
"""
