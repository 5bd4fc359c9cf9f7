"""Flow matching: the straight path from noise to latent, its training loss and its ODE solvers.

Every module holds one mathematical object. Which end of the path is noise is known to ``path``
alone. Nothing here knows a network: a velocity is any function of a state and a timestep.
"""
