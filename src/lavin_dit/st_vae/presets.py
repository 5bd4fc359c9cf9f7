"""The ST-VAEs that have a name."""

from lavin_dit.st_vae.config import STVAEConfig

ST_VAE_PRESETS: dict[str, STVAEConfig] = {
    # The released code: 215,583,907 parameters; the paper states none of these numbers. Mean
    # and scale are 133/4096 and 256/235.
    "released": STVAEConfig(
        block_out_channels=(128, 256, 256, 512),
        layers_per_block=3,
        latent_channels=16,
        encoder_norm_groups=32,
        decoder_norm_groups=32,
        norm_statistics="clip",
        latent_mean=(0.032470703125,),
        latent_scale=(1.08936170213,),
    ),
    # Ours, for one CPU core: 7,413,747 parameters. Most of the work is at full size, so that is
    # where it is thin: 1.8 times as fast as (32, 64, 64, 64), with twice the parameters.
    "nano": STVAEConfig(
        block_out_channels=(16, 32, 64, 128),
        layers_per_block=1,
        latent_channels=16,
        encoder_norm_groups=8,
        decoder_norm_groups=8,
        norm_statistics="frame",
        latent_mean=(0.0,),
        latent_scale=(1.0,),
    ),
}
"""Configurations by name: ``"released"`` and ``"nano"``."""
