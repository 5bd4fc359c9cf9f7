"""Where samples come from: one source per file, with its layout, units and splits.

A source reads the files of one data set in the layout that its publisher ships and gives samples
in the units and axes of ``lavin_dit.vision``. Sources do not import each other; what several need
lies in small modules beside them.
"""
