"""The ``lavin`` command, one file per verb.

Nothing here imports a network library at the top: ``lavin --help`` must answer at once.
"""
