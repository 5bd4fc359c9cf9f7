"""``lavin train`` from nothing to a pipeline that can be loaded, in small."""

import json
from pathlib import Path

import pytest
import torch

from lavin_dit.cli.main import main
from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.evaluation import protocol
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.run_folder import read_metrics, read_sessions
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.weights.store import load_model
from protocol_scenes import on_scenes
from scene_source import SceneSource

PROGRAM = Path(__file__).parents[1] / "tiny_mixture.py"
SMALL_ST_VAE = (
    *("--model.block-out-channels", 32, 32, 32, 32, "--model.layers-per-block", 1),
    *("--model.encoder-norm-groups", 8, "--model.decoder-norm-groups", 8),
)
SMALL_JDIT = (
    *("--model.hidden-size", 48, "--model.num-layers", 2, "--model.mlp-hidden-size", 64),
    *("--model.num-heads", 4, "--model.num-kv-heads", 2, "--model.rope-axes-dim", 4, 4, 4),
)


def train(recipe, folder, *words):
    arguments = ["train", recipe, "--run", folder, "--device", "cpu", "--data.workers", 0, *words]
    return main([str(word) for word in arguments])


@pytest.fixture(scope="module")
def st_vae(tmp_path_factory):
    """A run of the ST-VAE."""
    folder = tmp_path_factory.mktemp("st-vae")
    words = (
        *("--data.mixture", f"{PROGRAM}:mixture", "--data.height", 32, "--data.width", 48),
        *("--batch-size", 8, "--loop.num-steps", 2, "--loop.log-every", 1, *SMALL_ST_VAE),
    )
    assert train("st-vae-nano-images", folder, *words) == 0
    return folder


def test_an_st_vae_is_trained_and_exported(st_vae):
    lines = read_metrics(st_vae)
    assert [line["step"] for line in lines] == [1, 2, 2]
    assert lines[0]["squared_error"] > 0
    assert "validation/psnr_db/images_inputs" in lines[-1]
    assert list((st_vae / "sheets").glob("*.png"))
    (session,) = read_sessions(st_vae)
    assert session["recipe"]["loop"]["num_steps"] == 2
    assert session["versions"]["torch"]


def test_a_decoder_is_trained_alone(st_vae, tmp_path):
    words = (
        *("--data.mixture", f"{PROGRAM}:mixture", "--data.height", 32, "--data.width", 48),
        *("--batch-size", 8, "--loop.num-steps", 2, *SMALL_ST_VAE, "--freeze-encoder", True),
    )
    assert train("st-vae-nano-joint", tmp_path / "none", *words) == 2
    run = tmp_path / "run"
    assert train("st-vae-nano-joint", run, "--weights", st_vae / "export", *words) == 0
    before, after = (load_model(STVAE, STVAEConfig, one / "export") for one in (st_vae, run))
    assert after.config == before.config  # statistics too
    changed = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, before.state_dict()[name])
    }
    assert "decoder.conv_out.conv.weight" in changed
    assert not {name for name in changed if name.startswith("encoder.")}


def test_a_jdit_is_trained_resumed_and_exported_as_a_pipeline(st_vae, tmp_path, capsys):
    shards, others = tmp_path / "shards", tmp_path / "others"
    for folder in (shards, others):
        prepare_shards(SceneSource(length=12), folder, settings=ShardSettings(samples_per_shard=6))
    words = (
        *("--st-vae", st_vae / "export", "--data.sources", f"shards={shards}"),
        *("--data.validation-sources", f"shards={others}", "--data.tasks", "depth_estimation"),
        *("--data.height", 32, "--data.width", 48, "--data.max-pairs", 2),
        *("--data.latents", tmp_path / "latents", "--data.latent-episodes", 3),
        *("--sampling.num-steps", 2, "--sampling.num-context-pairs", 2),
        *("--batch-size", 4, "--loop.log-every", 1, *SMALL_JDIT),
    )
    run = tmp_path / "run"
    assert train("jdit-nano-64", run, "--loop.num-steps", 2, *words) == 0
    assert train("jdit-nano-64", run, "--loop.num-steps", 3, *words) == 0
    steps = [line["step"] for line in read_metrics(run) if "total" in line]
    assert steps == [1, 2, 3]
    assert "mfu" in read_metrics(run)[0]
    assert list((run / "sheets").glob("*.png"))
    assert max(path.stat().st_size for path in (run / "export").rglob("*.safetensors")) <= 2**24
    pipeline = LavinDiTPipeline.from_pretrained(run / "export")
    assert pipeline.jdit.config.hidden_size == 48
    assert all(torch.isfinite(p).all() for p in pipeline.jdit.parameters())
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [event["reason"] for event in events if event["event"] == "end"] == ["steps", "steps"]
    capsys.readouterr()
    assert train("jdit-nano-64", run, "--optimizer.lr", 1e-5, *words) == 2
    usual = JDIT_RECIPES["jdit-nano-64"].optimizer.lr
    assert f"optimizer.lr was {usual}, now 1e-05" in capsys.readouterr().err


def test_images_and_clips_count_alike_in_validation(st_vae, tmp_path):
    sources = {"images": None, "clips": 5, "other_images": None, "other_clips": 5}
    for name, num_frames in sources.items():
        source = SceneSource(length=12, num_frames=num_frames or 1)
        prepare_shards(source, tmp_path / name, settings=ShardSettings())
    flags = ("sources", "clip-sources", "validation-sources", "validation-clip-sources")
    words = [
        word
        for flag, name in zip(flags, sources, strict=True)
        for word in (f"--data.{flag}", f"shards={tmp_path / name}")
    ]
    words += [
        *("--st-vae", st_vae / "export", "--data.tasks", "depth_estimation", "frame_prediction"),
        *("--data.height", 32, "--data.width", 48, "--data.max-pairs", 1, "--data.num-frames", 5),
        *("--batch-size", 2, "--loop.num-steps", 1, "--sampling.num-steps", 1, *SMALL_JDIT),
    ]
    assert train("jdit-nano-64", tmp_path / "run", *words) == 0
    (found,) = [line for line in read_metrics(tmp_path / "run") if "validation/loss" in line]
    by_task = [
        found[f"validation/loss/{task}"] for task in ("depth_estimation", "frame_prediction")
    ]
    assert by_task[0] != pytest.approx(by_task[1], rel=1e-3)
    assert found["validation/loss"] == pytest.approx(sum(by_task) / 2, rel=1e-4)


def test_the_next_token_baseline_is_trained_resumed_and_evaluated(st_vae, tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    shards = tmp_path / "shards"
    kinds = {"height": 90, "kinds": (Depth,)}
    others = tmp_path / "others"
    for folder in (shards, others):
        prepare_shards(SceneSource(length=12, **kinds), folder, settings=ShardSettings())
    words = (
        *("--st-vae", st_vae / "export", "--data.sources", f"shards={shards}"),
        *("--data.validation-sources", f"shards={others}", "--data.tasks", "depth_estimation"),
        *("--data.height", 32, "--data.width", 32, "--data.max-pairs", 2),
        *("--model.hidden-size", 24, "--model.num-layers", 1, "--model.num-heads", 3),
        *(
            "--model.num-kv-heads",
            1,
            "--model.mlp-hidden-size",
            32,
            "--model.num-codes",
            8,
            "--model.num-levels",
            2,
        ),
        *("--codebook-episodes", 6, "--num-context-pairs", 1, "--batch-size", 4),
        *("--loop.log-every", 1),
    )
    run = tmp_path / "run"
    assert train("next-token-nano-64", run, "--loop.num-steps", 2, *words) == 0
    codebooks = (run / "codebooks/model.safetensors").read_bytes()
    assert train("next-token-nano-64", run, "--loop.num-steps", 3, *words) == 0
    assert (run / "codebooks/model.safetensors").read_bytes() == codebooks
    lines = read_metrics(run)
    assert [line["step"] for line in lines if "total" in line] == [1, 2, 3]
    assert lines[0]["mfu"] > 0
    assert "validation/psnr_db_of_tokens/0" in lines[-1]
    assert list((run / "sheets").glob("*.png"))

    find = protocol.find_protocol
    monkeypatch.setattr(protocol, "find_protocol", lambda name: on_scenes(find(name)))
    evaluate = ["evaluate", "world-depth_estimation", "--model", run / "export"]
    evaluate += ["-o", tmp_path / "out", "--num-queries", 2, "--num-context-pairs", 2]
    assert main([str(word) for word in evaluate]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    found = report["protocols"]["world-depth_estimation"]
    assert found["setup"]["height"] == 32  # the model's own size
    assert {"model", "autoencoder"} <= found["scores"].keys()
    assert main([str(word) for word in (*evaluate, "--num-steps", 2)]) == 2


def test_pairs_that_are_not_there_leave_no_folder(tmp_path, capsys):
    words = ["finetune", "--pairs", str(tmp_path / "gone"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "gone: no such folder of context pairs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_recipes_are_listed(capsys):
    assert main(["train"]) == 0
    listed = capsys.readouterr().out
    for name in ("st-vae-nano-images", "jdit-nano-64", "jdit-3.4b-512", "next-token-nano-64"):
        assert name in listed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["jdit-9b"], "there is no recipe 'jdit-9b'"),
        (["jdit-nano-64", "--run", "RUN"], "name the folder of a trained ST-VAE"),
        (["next-token-nano-64", "--run", "RUN"], "name the folder of a trained ST-VAE"),
        (["st-vae-nano-images", "--run", "RUN"], "there is nothing to train on"),
        (["st-vae-images", "--run", "RUN"], "loss.perceptual 0.1 needs a network"),
        (["jdit-nano-64", "--run", "RUN", "--threads", "0"], "threads must be at least 1, got 0"),
        (["jdit-nano-64", "--run", "RUN", "--device", "gpu"], "unknown device 'gpu'"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_line(words, message, tmp_path, capsys):
    words = [str(tmp_path / "run") if word == "RUN" else word for word in words]
    assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err
