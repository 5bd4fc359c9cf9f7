"""Complete training configurations, and what turns one into a run.

A recipe is a frozen record in which every number of a run stands; `lavin train NAME` takes one and
lets any of them be changed.
"""
