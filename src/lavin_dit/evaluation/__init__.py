"""Measuring what a model does: metrics, protocols, baselines, and reports."""
