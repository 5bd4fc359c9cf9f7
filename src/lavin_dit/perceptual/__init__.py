"""Frozen pretrained networks that say how alike pictures look.

They serve the ST-VAE's perceptual loss and the scores of evaluation. Their weights are other
people's: they are read from a path that the user gives, and none are part of this project.
"""
