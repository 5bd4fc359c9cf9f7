"""From the release's two files to its pictures, through the command line and the library.

The pretend release holds the random networks of the parity fixtures. ``pipeline.safetensors`` holds
what the authors' code makes of them: five frames, the latents, the end of the sampling, the picture
(see tests/parity/README.md). Distances in the comments are measured ones.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from lavin_dit import LavinDiTPipeline
from lavin_dit.cli.main import main
from lavin_dit.flow.guidance import null_condition
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.fitting import Canvas, from_network, to_bytes, to_network
from lavin_dit.pipeline.sampling import SamplingSettings, sample_target
from released_folder import ENCODER_NORM_GROUPS, NUM_HEADS, PARITY, write_release

CASE = load_file(PARITY / "pipeline.safetensors")
SETTINGS = SamplingSettings(num_steps=19, guidance_scale=1.5, solver="euler")
START_NOISE_SEED = 72
"""What the stored start noise was drawn from, and what the pipeline draws it from."""
TINY = ["--num-heads", str(NUM_HEADS), "--encoder-norm-groups", str(ENCODER_NORM_GROUPS)]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def converted(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("converted") / "model"
    assert main(["convert", "official", str(release), "-o", str(output), *TINY]) == 0
    return output


@pytest.fixture(scope="module")
def pipe(converted: Path) -> LavinDiTPipeline:
    return LavinDiTPipeline.from_pretrained(converted, device="cpu")


def eight_bit_frames() -> np.ndarray:
    """The stored frames as PNG files can hold them, at most 1/255 of the range away."""
    levels = ((CASE["frames"] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return rearrange(levels, "1 c t h w -> t h w c").contiguous().numpy()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two pairs, and the query beside it."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "pairs").mkdir()
    names = ["first_input", "first_target", "second_input", "second_target"]
    paths = [*(folder / "pairs" / f"{name}.png" for name in names), folder / "query.png"]
    for path, frame in zip(paths, eight_bit_frames(), strict=True):
        Image.fromarray(frame).save(path)
    return folder


def predict_by_hand(
    pipe: LavinDiTPipeline, frames: Sequence[Tensor], posterior_noise: Tensor | None
) -> dict[str, Tensor]:
    """Go from frames in [-1, 1], each a clip by itself, to the picture, part by part."""
    noises = [None] * len(frames) if posterior_noise is None else posterior_noise.split(1)
    latents = [
        pipe.networks.encode(frame, noise=noise)
        for frame, noise in zip(frames, noises, strict=True)
    ]
    condition = torch.cat(latents, dim=2)
    task = CompiledTask(
        latent=condition[:, :, :4],
        clip_frames=(1, 1, 1, 1),
        cache=None,
        canvas=Canvas(height=32, width=32),
        fit="pad",
        pair_names=("first", "second"),
        target_num_frames=None,
        model=pipe.networks.fingerprint(),
    )
    query = condition[:, :, 4:]
    with torch.no_grad():
        end = sample_target(
            pipe.jdit, task, query_latent=query, noise=CASE["noise"][None], settings=SETTINGS
        )
    return {
        "cond": condition,
        "cond_null": null_condition(query),
        "latent_end": end,
        "decoded": pipe.networks.decode(end),
    }


def released_bytes(decoded: Tensor) -> Tensor:
    """8 bits as the authors' script makes them; ours rounds instead of cutting off."""
    return ((decoded / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8)


def levels_apart(first: Tensor, second: Tensor) -> int:
    return int((first.int() - second.int()).abs().max())


def test_the_numbers_of_the_release(pipe: LavinDiTPipeline) -> None:
    found = predict_by_hand(pipe, CASE["frames"].split(1, dim=2), CASE["posterior_eps"])
    for name, atol in (
        ("cond", 1.5e-5),  # 8e-6
        ("cond_null", 1.5e-5),
        ("latent_end", 1.5e-5),  # 1e-5
        ("decoded", 1e-4),  # 8e-6
    ):
        torch.testing.assert_close(found[name], CASE[name], atol=atol, rtol=0)
    assert levels_apart(released_bytes(found["decoded"]), CASE["image_uint8"]) <= 1


def test_pictures_in_folders_give_the_picture_of_the_release(
    pipe: LavinDiTPipeline, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole public way, except that the posterior's noise is the stored one."""
    noises = iter([*CASE["posterior_eps"].split(1), CASE["noise"]])
    monkeypatch.setattr(pipe.networks, "posterior", "sample")
    monkeypatch.setattr(pipe.networks, "noise", lambda *_, **__: next(noises))
    prediction = pipe(
        pictures / "query.png",
        context=pictures / "pairs",
        height=32,
        width=32,
        guidance_scale=1.5,
        num_steps=19,
        progress=False,
    )
    assert next(noises, None) is None
    assert prediction.pair_names == ("first", "second")
    # What the 8 bits of the inputs cost: 0.032 in latents up to 6.9, 0.015 in pixels up to 3.2.
    torch.testing.assert_close(prediction.latent[None], CASE["latent_end"], atol=0.05, rtol=0)
    expected = (CASE["decoded"][0, :, 0] / 2 + 0.5).clamp(0, 1)
    found = torch.from_numpy(prediction.array[0]).permute(2, 0, 1)
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    # 2 from the inputs, and 1 because the release cuts off where we round.
    picture = rearrange(torch.from_numpy(prediction.clip.frames), "1 h w c -> 1 c 1 h w")
    assert levels_apart(picture, CASE["image_uint8"]) <= 3


def test_the_public_way_is_the_way_by_hand(
    pipe: LavinDiTPipeline, converted: Path, pictures: Path, tmp_path: Path
) -> None:
    frames = [
        to_network(frame[None], device=pipe.device, dtype=pipe.dtype)
        for frame in eight_bit_frames()
    ]
    by_hand = predict_by_hand(pipe, frames, None)
    prediction = pipe(
        pictures / "query.png",
        context=pictures / "pairs",
        height=32,
        width=32,
        guidance_scale=1.5,
        num_steps=19,
        seed=START_NOISE_SEED,
        progress=False,
    )
    assert torch.equal(prediction.latent[None], by_hand["latent_end"])
    pixels = from_network(by_hand["decoded"][0]).clamp(0, 1)
    assert torch.equal(torch.from_numpy(prediction.array), pixels.permute(0, 2, 3, 1))
    words = ["predict", pictures / "query.png", "--context", pictures / "pairs"]
    words += ["--model", converted, "--device", "cpu", "--output", tmp_path]
    words += ["--height", 32, "--width", 32, "--guidance-scale", 1.5, "--num-steps", 19]
    words += ["--seed", START_NOISE_SEED]
    assert main([str(word) for word in words]) == 0
    written = np.asarray(Image.open(tmp_path / "query.png"))
    assert np.array_equal(written, to_bytes(pixels)[0])


def test_convert_in_a_process_of_its_own(release: Path, converted: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    words = ["convert", "official", release, "-o", output, *TINY]
    program = "import sys; from lavin_dit.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    assert answer.stdout == (f"{output}: ST-VAE with 1,524,067 and J-DiT with 617,632 parameters\n")
    for path in converted.rglob("*.*"):
        assert (output / path.relative_to(converted)).read_bytes() == path.read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr == (
        f"lavin: error: {output} holds a saved pipeline already and nothing is overwritten: "
        f"name an empty or a new folder\n"
    )
