"""What a frame of a latent depends on, in the two settings of the statistics."""

import pytest
import torch


@pytest.mark.parametrize("num_frames", [5, 9])
def test_a_frame_alone_is_the_first_frame_of_a_clip(causal, new_clip, num_frames):
    clip = new_clip(1, 3, num_frames, 16, 24)
    whole, alone = causal.encode(clip), causal.encode(clip[:, :, :1])
    torch.testing.assert_close(whole.mean[:, :, :1], alone.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.logvar[:, :, :1], alone.logvar, atol=1e-5, rtol=0)
    frames = causal.decode(whole.mode())
    first = causal.decode(whole.mode()[:, :, :1])
    torch.testing.assert_close(frames[:, :, :1], first, atol=1e-5, rtol=0)


def test_the_released_statistics_tie_the_first_frame_to_the_clip(pooled, new_clip):
    clip = new_clip(1, 3, 5, 16, 24)
    whole, alone = pooled.encode(clip).mean[:, :, :1], pooled.encode(clip[:, :, :1]).mean
    assert (whole - alone).abs().max() > 0.01


@pytest.mark.parametrize("changed", [0, 1, 4, 5, 8, 11, 12])
def test_latents_depend_on_the_past_only(causal, new_clip, changed):
    clip = new_clip(1, 3, 13, 16, 24)
    other = clip.clone()
    other[:, :, changed] = new_clip(1, 3, 1, 16, 24, seed=1)[:, :, 0]
    difference = (causal.encode(clip).mean - causal.encode(other).mean).abs().amax((0, 1, 3, 4))
    group = (changed + 3) // 4
    assert (difference[:group] < 1e-6).all()
    assert difference[group] > 1e-3


def test_with_the_released_statistics_latents_depend_on_the_future(pooled, new_clip):
    clip = new_clip(1, 3, 9, 16, 24)
    other = clip.clone()
    other[:, :, 8] = new_clip(1, 3, 1, 16, 24, seed=1)[:, :, 0]
    difference = (pooled.encode(clip).mean - pooled.encode(other).mean).abs().amax((0, 1, 3, 4))
    assert (difference > 1e-3).all()


@pytest.mark.parametrize("changed", [0, 1, 3])
def test_frames_depend_on_past_latents_only(causal, changed):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(1, 6, 4, 2, 3, generator=generator)
    other = latent.clone()
    other[:, :, changed] = torch.randn(1, 6, 2, 3, generator=generator)
    difference = (causal.decode(latent) - causal.decode(other)).abs().amax((0, 1, 3, 4))
    first = max(0, 4 * changed - 3)
    assert (difference[:first] < 1e-6).all()
    assert difference[first] > 1e-3
