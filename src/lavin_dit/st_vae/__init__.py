"""The spatio-temporal autoencoder: clips of RGB frames to latents and back.

`autoencoder.STVAE` is the model, `presets.ST_VAE_PRESETS` its sizes; `streaming` takes long clips
chunk by chunk and `tiling` large pictures tile by tile.
"""
