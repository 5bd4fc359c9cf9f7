import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.st_vae.posterior import DiagonalGaussian
from lavin_dit.st_vae.streaming import StreamingDecoder, StreamingEncoder


def encode_in(encoder: StreamingEncoder, clip: torch.Tensor, sizes: list[int]) -> DiagonalGaussian:
    posteriors = [encoder.push(chunk) for chunk in clip.split(sizes, dim=2)]
    return DiagonalGaussian(
        mean=torch.cat([posterior.mean for posterior in posteriors], dim=2),
        logvar=torch.cat([posterior.logvar for posterior in posteriors], dim=2),
    )


@st.composite
def partitions(draw, total: int) -> list[int]:
    """Ways to write a number as a sum of positive numbers."""
    cuts = draw(st.sets(st.integers(1, total - 1))) if total > 1 else set()
    borders = [0, *sorted(cuts), total]
    return [after - before for before, after in itertools.pairwise(borders)]


latent_chunks = st.integers(1, 9).flatmap(partitions)


@settings(max_examples=15, deadline=None)
@given(chunks=latent_chunks)
def test_a_stream_is_the_whole(causal, new_clip, chunks):
    num_latent_frames = sum(chunks)
    clip = new_clip(1, 3, 4 * num_latent_frames - 3, 8, 24)
    sizes = [4 * chunk for chunk in chunks]
    sizes[0] -= 3
    whole, stream = causal.encode(clip), encode_in(StreamingEncoder(causal), clip, sizes)
    torch.testing.assert_close(stream.mean, whole.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(stream.logvar, whole.logvar, atol=1e-5, rtol=0)

    latent, decoder = whole.mode(), StreamingDecoder(causal)
    parts = [decoder.push(chunk) for chunk in latent.split(chunks, dim=2)]
    assert [part.shape[2] for part in parts] == sizes
    frames = torch.cat(parts, dim=2)
    torch.testing.assert_close(frames, causal.decode(latent), atol=1e-5, rtol=0)


@pytest.mark.parametrize("num_frames", range(1, 34, 4))
def test_group_by_group(causal, new_clip, num_frames):
    clip = new_clip(1, 3, num_frames, 8, 16, seed=num_frames)
    sizes = [1] + [4] * (num_frames // 4)
    stream = encode_in(StreamingEncoder(causal), clip, sizes)
    latent = causal.encode(clip).mode()
    torch.testing.assert_close(stream.mode(), latent, atol=1e-5, rtol=0)
    decoder = StreamingDecoder(causal)
    frames = torch.cat([decoder.push(frame) for frame in latent.split(1, dim=2)], dim=2)
    torch.testing.assert_close(frames, causal.decode(latent), atol=1e-5, rtol=0)


def test_two_streams_do_not_mix(causal, new_clip):
    clips = [new_clip(1, 3, 9, 8, 16, seed=seed) for seed in (1, 2)]
    encoders = [StreamingEncoder(causal) for _ in clips]
    decoders = [StreamingDecoder(causal) for _ in clips]
    frames = [[], []]
    for start, stop in ((0, 1), (1, 5), (5, 9)):
        for stream in (0, 1):
            posterior = encoders[stream].push(clips[stream][:, :, start:stop])
            frames[stream].append(decoders[stream].push(posterior.mode()))
    for clip, parts in zip(clips, frames, strict=True):
        expected = causal.decode(causal.encode(clip).mode())
        torch.testing.assert_close(torch.cat(parts, dim=2), expected, atol=2e-5, rtol=0)


def test_a_stream_leaves_the_model_alone(causal, new_clip):
    clip = new_clip(1, 3, 5, 8, 16)
    before = causal.encode(clip).mean
    StreamingEncoder(causal).push(clip)
    torch.testing.assert_close(causal.encode(clip).mean, before, atol=0, rtol=0)


def test_the_released_statistics_are_refused(pooled):
    for stream in (StreamingEncoder, StreamingDecoder):
        with pytest.raises(ValueError, match="norm_statistics 'clip' cannot be streamed"):
            stream(pooled)


@pytest.mark.parametrize("num_frames", [2, 3, 4, 8])
def test_a_bad_first_chunk_is_refused(causal, new_clip, num_frames):
    with pytest.raises(ValueError, match=rf"first chunk has {num_frames} frames; expected 1 \+ 4k"):
        StreamingEncoder(causal).push(new_clip(1, 3, num_frames, 8, 16))


@pytest.mark.parametrize("num_frames", [1, 5, 6])
def test_a_bad_later_chunk_is_refused_and_forgotten(causal, new_clip, num_frames):
    clip = new_clip(1, 3, 5, 8, 16)
    encoder = StreamingEncoder(causal)
    first = encoder.push(clip[:, :, :1]).mode()
    with pytest.raises(ValueError, match=f"later chunk has {num_frames} frames; expected a mult"):
        encoder.push(new_clip(1, 3, num_frames, 8, 16))
    latent = torch.cat([first, encoder.push(clip[:, :, 1:]).mode()], dim=2)
    torch.testing.assert_close(latent, causal.encode(clip).mode(), atol=1e-5, rtol=0)


def test_a_chunk_of_another_size_is_refused(causal, new_clip):
    encoder = StreamingEncoder(causal)
    encoder.push(new_clip(1, 3, 1, 8, 16))
    with pytest.raises(ValueError, match=r"\(1, 16, 8\); the stream began with \(1, 8, 16\)"):
        encoder.push(new_clip(1, 3, 4, 16, 8))
    decoder = StreamingDecoder(causal)
    decoder.push(torch.zeros(1, 6, 1, 1, 2))
    with pytest.raises(ValueError, match=r"\(2, 1, 2\); the stream began with \(1, 1, 2\)"):
        decoder.push(torch.zeros(2, 6, 1, 1, 2))
