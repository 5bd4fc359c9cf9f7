"""J-DiT: the joint diffusion transformer, one velocity network for every vision task."""
