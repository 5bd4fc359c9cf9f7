import dataclasses
import json

import pytest

from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.presets import ST_VAE_PRESETS


@pytest.mark.parametrize("preset", ST_VAE_PRESETS)
def test_a_configuration_survives_json(preset):
    config = ST_VAE_PRESETS[preset]
    read = json.loads(json.dumps(dataclasses.asdict(config)))
    fields = {
        name: tuple(value) if isinstance(value, list) else value for name, value in read.items()
    }
    assert STVAEConfig(**fields) == config


def test_there_are_no_defaults():
    assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(STVAEConfig))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_out_channels": (32, 32, 64)}, r"block_out_channels \(32, 32, 64\) must hold 4"),
        ({"block_out_channels": (32, 36, 64, 32)}, r"multiples of encoder_norm_groups 8"),
        ({"block_out_channels": (32, 0, 64, 32)}, r"positive multiples of encoder_norm_groups 8"),
        ({"decoder_norm_groups": 5}, r"multiples of decoder_norm_groups 5"),
        ({"decoder_norm_groups": 0}, r"decoder_norm_groups 0 must be at least 1"),
        ({"layers_per_block": 0}, r"layers_per_block 0 must be at least 1"),
        ({"latent_channels": -1}, r"latent_channels -1 must be at least 1"),
        ({"latent_mean": (0.0, 1.0)}, r"latent_mean holds 2 numbers; expected 1 or .* 6 latent"),
        ({"latent_scale": ()}, r"latent_scale holds 0 numbers"),
        ({"latent_mean": (float("nan"),)}, r"latent_mean \(nan,\) must be finite"),
        ({"latent_scale": (0.0,)}, r"latent_scale \(0.0,\) must be positive"),
    ],
)
def test_bad_numbers_are_named(new_config, changes, message):
    with pytest.raises(ValueError, match=message):
        new_config(**changes)


def test_bad_statistics_are_named(new_config):
    # Under the shape-checking hook the annotation refuses it first.
    with pytest.raises(Exception, match="norm_statistics") as refusal:
        new_config(norm_statistics="batch")
    assert "batch" in str(refusal.value)
