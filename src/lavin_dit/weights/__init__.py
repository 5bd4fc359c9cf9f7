"""Weights on disk: safetensors and JSON, loaded strictly.

``store`` saves and loads one model; ``config`` (configurations as JSON), ``shards`` (writing),
``files`` (reading) and ``fingerprint`` (telling weights apart) are its parts. ``checkpoint`` is a
whole pipeline made of such models.
"""
