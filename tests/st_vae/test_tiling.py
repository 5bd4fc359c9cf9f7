import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lavin_dit.st_vae.tiling import blend_tiles, decode_tiled, encode_tiled, plan_tiles

plans = st.tuples(st.integers(1, 60), st.integers(1, 20), st.integers(0, 10)).filter(
    lambda numbers: 2 * numbers[2] <= numbers[1]
)


@settings(max_examples=200, deadline=None)
@given(numbers=plans)
def test_plans_cover_the_axis(numbers):
    size, tile, overlap = numbers
    plan = plan_tiles(size, tile, overlap)
    assert plan.tile <= tile
    assert plan.starts[0] == 0
    assert plan.starts[-1] + plan.tile == size
    for before, after in itertools.pairwise(plan.starts):
        assert before < after
        assert before + plan.tile - after >= overlap


@settings(max_examples=200, deadline=None)
@given(numbers=plans, factor=st.sampled_from([1, 8]))
def test_shares_sum_to_one_inside_the_tiles(numbers, factor):
    plan = plan_tiles(*numbers).enlarged(factor)
    shares = plan.weights()
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(plan.size, dtype=torch.float64))
    assert (shares >= 0).all()
    assert ((shares > 0).sum(dim=0) <= 2).all()
    for start, share in zip(plan.starts, shares, strict=True):
        assert (share[:start] == 0).all()
        assert (share[start + plan.tile :] == 0).all()


def passages(plan):
    """Over how many positions the result passes from each tile to the next."""
    return [min(a + plan.tile - b, b - a - 1) for a, b in itertools.pairwise(plan.starts)]


@settings(max_examples=100, deadline=None)
@given(numbers=plans, seed=st.integers(0, 9))
def test_no_step_beyond_the_stated_bound(numbers, seed):
    # Each tile is its own constant: all steps are the blending's, none are the tiles'.
    plan = plan_tiles(*numbers)
    assume(len(plan.starts) > 1)
    values = torch.randn(len(plan.starts), generator=torch.Generator().manual_seed(seed)).double()
    rows = plan_tiles(3, 3, 0)

    def compute(area_rows, area_columns):
        value = values[plan.starts.index(area_columns.start)]
        return value.expand(1, 1, 1, rows.size, plan.tile)

    line = blend_tiles(compute, rows, plan)[0, 0, 0, 1]
    bounds = [
        abs(a - b) / (n + 1)
        for (a, b), n in zip(itertools.pairwise(values), passages(plan), strict=True)
    ]
    assert line.diff().abs().max() <= max(bounds) * (1 + 1e-9)


@pytest.mark.parametrize("size", [(24, 40), (40, 24), (8, 8)])
@pytest.mark.parametrize("num_frames", [1, 5])
def test_one_tile_is_the_untiled_result(model, new_clip, size, num_frames):
    clip = new_clip(1, 3, num_frames, *size)
    whole, tiled = model.encode(clip), encode_tiled(model, clip, tile_px=40, overlap=0.25)
    torch.testing.assert_close(tiled.mean, whole.mean, atol=0, rtol=0)
    torch.testing.assert_close(tiled.logvar, whole.logvar, atol=0, rtol=0)
    frames = decode_tiled(model, whole.mode(), tile_px=40, overlap=0.25)
    torch.testing.assert_close(frames, model.decode(whole.mode()), atol=0, rtol=0)


@pytest.mark.parametrize(("tile_px", "overlap"), [(24, 0.25), (32, 0.5), (16, 0.0)])
def test_any_size_can_be_tiled(model, new_clip, tile_px, overlap):
    clip = new_clip(1, 3, 1, 40, 56)
    posterior = encode_tiled(model, clip, tile_px=tile_px, overlap=overlap)
    assert posterior.mean.shape == posterior.logvar.shape == (1, 6, 1, 5, 7)
    frames = decode_tiled(model, posterior.mode(), tile_px=tile_px, overlap=overlap)
    assert frames.shape == clip.shape


def test_clips_can_be_tiled(causal, new_clip):
    clip = new_clip(2, 3, 5, 16, 40)
    posterior = encode_tiled(causal, clip, tile_px=24, overlap=0.25)
    assert posterior.mean.shape == (2, 6, 2, 2, 5)
    assert decode_tiled(causal, posterior.mode(), tile_px=24, overlap=0.25).shape == clip.shape


def test_16_bit_tiles_stay_16_bit(causal):
    half = torch.zeros(1, 6, 1, 2, 5, dtype=torch.bfloat16)
    model = type(causal)(causal.config).bfloat16().requires_grad_(False)
    assert decode_tiled(model, half, tile_px=24, overlap=0.25).dtype == torch.bfloat16


def test_seams_of_a_decoded_picture(model, new_clip):
    """Across a tile's border the picture steps no more than the bound of the module's docstring."""
    latent = model.encode(new_clip(1, 3, 1, 48, 88)).mode()
    rows, columns = plan_tiles(6, 6, 0).enlarged(8), plan_tiles(11, 6, 2).enlarged(8)
    assert len(columns.starts) == 3
    frames = decode_tiled(model, latent, tile_px=48, overlap=0.25)
    lines = torch.full((3, *frames.shape), torch.nan)  # each tile where it was computed
    for index, start in enumerate(columns.starts):
        span = slice(start // 8, (start + columns.tile) // 8)
        lines[index, ..., start : start + columns.tile] = model.decode(latent[..., span])
    pairs = list(itertools.pairwise(lines))
    apart = max((a - b).abs().nan_to_num().max().item() for a, b in pairs)
    own_steps = lines.diff(dim=-1).abs().nan_to_num().amax(dim=0)
    excess = (frames.diff(dim=-1).abs() - own_steps).max().item()
    assert apart > 0.05, "tiles that agree would prove nothing"
    assert excess <= apart / (min(passages(columns)) + 1) + 1e-5
    assert rows.starts == (0,)


def test_an_overlap_makes_seams_smaller(causal, new_clip):
    """Seam: the mean step across the tiles' borders beyond that of the untiled picture."""
    latent = causal.encode(new_clip(1, 3, 1, 32, 64)).mode()
    whole = causal.decode(latent)
    tiled = {
        overlap: decode_tiled(causal, latent, tile_px=32, overlap=overlap) for overlap in (0.0, 0.5)
    }
    seams = {}
    for overlap, starts in ((0.0, (32,)), (0.5, (16, 32, 48))):
        border = torch.tensor(starts)
        error = (tiled[overlap] - whole).diff(dim=-1).abs()
        seams[overlap] = (error[..., border - 1].mean() - error.mean()).item()
    assert seams[0.0] > 0.05
    assert seams[0.5] < seams[0.0] / 4


@pytest.mark.parametrize(
    ("tile_px", "overlap", "message"),
    [
        (20, 0.25, "tile_px 20 must be a positive multiple of 8"),
        (0, 0.25, "tile_px 0 must be a positive multiple of 8"),
        (32, -0.1, "overlap -0.1 must be from 0 to 0.5"),
        (32, 0.6, "overlap 0.6 must be from 0 to 0.5"),
        (8, 0.25, "overlap 0.25 of tile_px 8 leaves no step between tiles"),
    ],
)
def test_bad_tiles_are_refused(causal, new_clip, tile_px, overlap, message):
    clip = new_clip(1, 3, 1, 16, 24)
    with pytest.raises(ValueError, match=message):
        encode_tiled(causal, clip, tile_px=tile_px, overlap=overlap)
    with pytest.raises(ValueError, match=message):
        decode_tiled(causal, torch.zeros(1, 6, 1, 2, 3), tile_px=tile_px, overlap=overlap)
