"""Weights on disk: safetensors and JSON, loaded strictly.

``store`` is the door: saving and loading of models. The other modules are its parts: ``config``
turns configurations into JSON and back, ``shards`` writes and reads the safetensors files,
``fingerprint`` tells two sets of weights apart.
"""
