"""The way of docs/training.md from photos to an adapter, each of its commands at toy size."""

import re
from pathlib import Path

import pytest
from PIL import Image

from lavin_dit.cli.main import main
from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from pictures import picture
from scene_source import SceneSource
from training_page import commands

pytest.importorskip("peft")

TOY = """
    --device cpu --batch-size 4 --loop.num-steps 1 --loop.validate-every 0
    --loop.micro-batch-size 4 --loop.precision float32 --strategy ddp
    --data.height 32 --data.width 32 --data.workers 0
    --data.tasks depth_estimation colorization
"""
TOY_JDIT = """
    --compile False --data.max-pairs 2 --sampling.num-steps 1 --sampling.num-context-pairs 1
    --model.hidden-size 48 --model.num-layers 2 --model.num-heads 4 --model.num-kv-heads 2
    --model.mlp-hidden-size 64 --model.rope-axes-dim 4 4 4
"""
TOY_ST_VAE = """
    --model.block-out-channels 32 32 32 32 --model.layers-per-block 1
    --model.encoder-norm-groups 8 --model.decoder-norm-groups 8
    --loss.perceptual 0 --discriminator-widths 16 16
"""


def at_toy_size(words: list[str]) -> list[str]:
    """The command, and behind it what makes it small: the last value of an option counts."""
    text = " ".join(words)
    if words[0] == "train":
        text = re.sub(r"--perceptual \S+", "", text)
        # The synthetic world's clips take a ray tracer, and are tried elsewhere.
        text = re.sub(r"--data.clip-sources world", "", text)
        text += TOY + (TOY_ST_VAE if "st-vae" in words[1] else TOY_JDIT)
    if words[0] == "finetune":
        text += " --num-steps 1 --rank 2 --num-views 1 --device cpu"
    if words[0] == "predict":
        text += " --device cpu"
    return text.split()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page takes for granted: shards, photos, and pairs of a new task."""
    monkeypatch.chdir(tmp_path)
    for name in ("coco", "coco-panoptic", "coco-joints", "coco-val", "imagenet"):
        prepare_shards(SceneSource(length=6), tmp_path / "shards" / name, settings=ShardSettings())
    for name in ("photos", "my_pairs"):
        (tmp_path / name).mkdir()
    Image.fromarray(picture(30, 40, seed=9)).save(tmp_path / "photos" / "photo.png")
    for index in range(4):
        pixels = picture(32, 32, seed=index)
        for half, shown in (("input", pixels), ("target", 255 - pixels)):
            Image.fromarray(shown).save(tmp_path / "my_pairs" / f"{index}_{half}.png")
    return tmp_path


def wanted(words: list[str]) -> bool:
    """Whether a command belongs to the way from the photos to the adapter."""
    return (
        words[0] in ("finetune", "predict", "report")
        or (words[0] == "train" and "shards=shards/coco" in words)
    ) and not any(word.startswith("runs/first") or word == "runs/causal" for word in words)


def test_from_photos_to_an_adapter(workplace: Path) -> None:
    done: list[str] = []
    for words in filter(wanted, commands()):
        assert main(at_toy_size(words)) == 0, words
        done.append(words[0])
    assert done.count("train") == 4
    assert {"finetune", "predict", "report"} <= set(done)
    for name in ("curves.png", "adapter.png", "my_adapter/adapter.safetensors"):
        assert (workplace / name).is_file()
    assert (workplace / "runs" / "jdit-512" / "export" / "pipeline.json").is_file()
