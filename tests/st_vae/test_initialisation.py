import pytest
import torch

from lavin_dit.st_vae.autoencoder import STVAE


@pytest.fixture(scope="module")
def fresh(new_config) -> STVAE:
    model = STVAE(new_config()).requires_grad_(False)
    model.reset_parameters(torch.Generator().manual_seed(0))
    return model


def test_the_generator_decides(fresh, new_config):
    other = STVAE(new_config())
    other.reset_parameters(torch.Generator().manual_seed(0))
    for name, tensor in other.state_dict().items():
        torch.testing.assert_close(tensor, fresh.state_dict()[name], rtol=0, atol=0)
    other.reset_parameters(torch.Generator().manual_seed(1))
    assert not torch.equal(other.encoder.conv_in.conv.weight, fresh.encoder.conv_in.conv.weight)


def test_a_fresh_model_has_useful_scales(fresh, new_clip):
    posterior = fresh.encode(new_clip(2, 3, 5, 32, 48))
    assert 0.1 < posterior.mean.std() < 2
    torch.testing.assert_close(posterior.logvar, torch.full_like(posterior.logvar, -6.0))
    frames = fresh.decode(posterior.sample(torch.Generator().manual_seed(1)))
    assert 0.1 < frames.std() < 2


def test_a_fresh_decoder_treats_frames_one_by_one(fresh):
    latent = torch.randn(1, 6, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    frames = fresh.decode(latent)
    for index, frame in enumerate((0, 1, 5)):
        alone = fresh.decode(latent[:, :, index : index + 1])
        torch.testing.assert_close(frames[:, :, frame : frame + 1], alone, atol=1e-5, rtol=0)


def test_every_weight_learns(new_config, new_clip):
    """One step moves the zeros; after it no weight is without a gradient."""
    model = STVAE(new_config())
    model.reset_parameters(torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        clip = new_clip(1, 3, 5, 16, 24)
        posterior = model.encode(clip)
        latent = posterior.sample(torch.Generator().manual_seed(0))
        loss = (model.decode(latent) - clip).square().mean() + 1e-3 * posterior.kl().mean()
        loss.backward()
        optimizer.step()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]
    assert silent == []
