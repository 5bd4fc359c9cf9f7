"""The command line as its users meet it, bad input included."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavin_dit import __version__
from lavin_dit.cli.main import VERBS, main
from lavin_dit.pipeline.clips import Clip, load_clip, save_clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.weights.checkpoint import load_checkpoint
from pictures import picture
from random_networks import random_pipeline


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for setting in ("joint", "causal"):
        random_pipeline(setting).save_pretrained(folder / setting)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, size in enumerate([(30, 41), (25, 25), (50, 20)]):
        Image.fromarray(picture(*size, seed=index)).save(folder / f"photo{index}.png")
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that tells what went wrong."""
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(lines) == 1, lines
    return lines[0]


def test_help_answers_at_once_and_loads_no_network_library() -> None:
    program = (
        "import sys; from lavin_dit.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'PIL', 'av', 'diffusers'} & sys.modules.keys()"
    )
    start = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "predict" in answer.stdout
    assert time.perf_counter() - start < 5  # half a second at rest; this guards against a blunder


def test_help_has_a_line_for_each_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("--help")
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f" {name} " in told, name
        first, _, more = (verb.__doc__ or "").partition("\n")
        assert first.split()[0] in told
        assert not more.split()[:4] or " ".join(more.split()[:4]) not in told
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"lavin-dit {__version__}\n"


def test_a_verb_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predct", "a.png") == 2
    message = "there is no verb 'predct'; did you mean predict? there are demo, predict, "
    assert message in error_line(capsys)


@pytest.mark.parametrize("words", [["tasks"], ["evaluate", "--list"], ["predict", "--help"]])
def test_a_reader_that_goes_is_no_error(words: list[str]) -> None:
    lavin = [sys.executable, "-m", "lavin_dit.cli.main", *words]
    with subprocess.Popen(lavin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None  # the pipe has no reader any more
        assert process.communicate()[1] == b""
    assert process.returncode == 141


@pytest.mark.parametrize("setting", ["joint", "causal"])
def test_predict_a_folder_and_resume(
    setting: str,
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    words = ["predict", photos, "-c", pairs_folder, "-o", out, "--model", models / setting]
    assert run(*words, "--device", "cpu", "--batch-size", 2) == 0
    assert {p.name for p in out.glob("[!.]*")} == {"photo0.png", "photo1.png", "photo2.png"}
    assert load_clip(out / "photo0.png").size == (30, 41)
    first = load_clip(out / "photo1.png").frames.astype(int)
    (out / "photo1.png").unlink()
    (out / "photo2.png").write_bytes(b"mine")
    capsys.readouterr()
    assert run(*words, "--device", "cpu") == 0
    assert "2 of 3 are already in" in capsys.readouterr().err
    assert (out / "photo2.png").read_bytes() == b"mine"
    assert np.abs(load_clip(out / "photo1.png").frames - first).max() <= 1
    assert run(*words, "--device", "cpu", "--overwrite") == 0
    assert (out / "photo2.png").read_bytes() != b"mine"


def test_predict_videos(models: Path, tmp_path: Path) -> None:
    frames = np.stack([picture(32, 48, seed=seed) for seed in range(3)])
    for half in ("input", "target"):
        save_clip(Clip(frames=frames), tmp_path / "pairs" / f"a_{half}.mp4")
    save_clip(Clip(frames=frames, frames_per_second=8.0), tmp_path / "walk.mp4")
    assert (
        run(
            "predict",
            tmp_path / "walk.mp4",
            "-c",
            tmp_path / "pairs",
            "-o",
            tmp_path / "out",
            "--model",
            models / "causal",
        )
        == 0
    )
    assert (tmp_path / "out" / "walk.mp4").exists()


def test_a_broken_query_is_passed_over_and_told(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (photos / "photo1.png").write_bytes(b"broken")
    Image.new("RGB", (1, 9)).save(photos / "thin.png")
    out = tmp_path / "out"
    status = run("predict", photos, "-c", pairs_folder, "-o", out, "--model", models / "joint")
    err = capsys.readouterr().err
    assert status == 1
    assert {p.name for p in out.glob("[!.]*")} == {"photo0.png", "photo2.png"}
    assert "skipped" in err
    assert "photo1.png: not an image" in err
    assert "thin.png: height and width must be at least 2 pixels, got 9x1" in err
    assert "2 of 4 queries could not be read" in err


def test_build_append_and_use_a_compiled_task(
    models: Path, photos: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    task, more = tmp_path / "task.safetensors", tmp_path / "more"
    model = ["--model", models / "causal"]
    assert run("context", "build", pairs_folder, "-o", task, *model, "--num-context-pairs", 2) == 0
    more.mkdir()
    for half in ("input", "target"):
        (pairs_folder / f"p0_{half}.png").rename(more / f"new_{half}.png")
    assert run("context", "append", task, more, "-o", task, *model) == 0
    assert CompiledTask.load(task).pair_names[-1] == "new"
    out = tmp_path / "out"
    assert run("predict", photos / "photo0.png", "-c", task, "-o", out, *model) == 0
    assert (out / "photo0.png").exists()


def test_results_keep_of_their_queries_what_is_asked(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = ["--model", models / "causal"]
    words = ["predict", photos / "photo0.png", *model]
    for keep in (True, False):
        context = ["-c", pairs_folder, "-o", tmp_path / str(keep), "--keep-detail", keep]
        assert run(*words, *context) == 0
    kept, soft = (
        np.asarray(Image.open(tmp_path / name / "photo0.png")) for name in ("True", "False")
    )
    assert kept.shape == soft.shape
    assert not np.array_equal(kept, soft)
    task = tmp_path / "task.safetensors"
    build = ["context", "build", pairs_folder, "-o", task, *model, "--keep-detail", False]
    assert run(*build) == 0
    capsys.readouterr()
    assert run(*words, "-c", task, "-o", tmp_path / "late", "--keep-detail", True) == 2
    assert "compile it again with keep_detail" in error_line(capsys)


def test_info(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "--height", 512, "--width", 500, "--pairs", 8) == 0
    out = capsys.readouterr().out
    for count in ("100,709,952", "935,095,360", "3,398,976,064", "215,583,907"):
        assert count in out
    assert "17,408 condition and 1,024 target tokens" in out
    assert run("info", "--model", models / "causal") == 0
    assert "causal" in capsys.readouterr().out
    assert run("info", "--model", "nowhere") == 2
    assert "no saved pipeline at nowhere" in error_line(capsys)


def test_bad_words_are_answered_with_the_usage() -> None:
    with pytest.raises(SystemExit) as caught:
        run("predict", "a.png", "--task")
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--num-steps", 0], "num_steps must be at least 1, got 0"),
        (["--device", "cuda:77"], "device cuda:77 was asked for"),
        (["--context", "nowhere"], "nowhere: no such folder of context pairs"),
        (["--model", "nowhere"], "no saved pipeline at nowhere"),
        (["--num-context-pairs", 0], "num_context_pairs must be at least 1, got 0"),
        (["--batch-size", 0], "batch_size must be at least 1, got 0"),
        (["--height", 0], "height and width must be at least 1, got 0x48"),
        (["--tile-px", 30], "tile_px"),
        (["--max-megapixels", -3], "max_megapixels must be above 0, got -3"),
        (["--max-megapixels", "nan"], "max_megapixels must be above 0, got nan"),
        (["--guidance-scale", "nan"], "guidance_scale must be a finite number of at least 0"),
    ],
)
def test_bad_settings_give_one_line_and_write_nothing(
    words: list[object],
    message: str,
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"--context": pairs_folder, "--model": models / "joint", words[0]: words[1]}
    flat = [word for item in settings.items() for word in item]
    out = tmp_path / "out"
    assert run("predict", photos, "-o", out, *flat) == 2
    assert message in error_line(capsys)
    assert not list(out.glob("*"))


def test_sizes_that_are_no_multiples_of_16_are_fitted(
    models: Path, photos: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    words = ["-c", pairs_folder, "-o", tmp_path / "out", "--model", models / "joint"]
    assert run("predict", photos / "photo0.png", *words, "--height", 37, "--width", 50) == 0
    assert load_clip(tmp_path / "out" / "photo0.png").size == (30, 41)


def test_predict_in_tiles(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["-c", pairs_folder, "-o", tmp_path / "out", "--model", models / "causal"]
    assert run("predict", photos / "photo2.png", *words, "--fit", "tile", "--tile-overlap", 8) == 0
    assert load_clip(tmp_path / "out" / "photo2.png").size == (50, 20)
    assert run("predict", photos / "photo0.png", *words, "--tile-overlap", 8) == 2
    assert "tile_overlap 8 is for fit='tile', but the context has fit 'pad'" in error_line(capsys)


def test_queries_and_outputs_that_clash(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["-c", pairs_folder, "--model", models / "joint"]
    before = (photos / "photo0.png").read_bytes()
    for more in ([], ["--overwrite"]):
        assert run("predict", photos, *words, "-o", photos, *more) == 2
        assert "lies in the output folder" in error_line(capsys)
    links = tmp_path / "links"
    links.mkdir()
    (links / "photo9.png").symlink_to(photos / "photo0.png")
    assert run("predict", links, *words, "-o", links, "--overwrite") == 2
    assert "lies in the output folder" in error_line(capsys)
    assert (photos / "photo0.png").read_bytes() == before
    Image.new("RGB", (9, 9)).save(photos / "photo0.jpg")
    assert run("predict", photos, *words, "-o", tmp_path / "out") == 2
    assert "would both be written to photo0" in error_line(capsys)
    (tmp_path / "empty").mkdir()
    assert run("predict", tmp_path / "empty", *words) == 2
    assert "no images or videos in there" in error_line(capsys)
    assert run("predict", tmp_path / "gone.png", *words) == 2
    assert "gone.png: no such file or folder" in error_line(capsys)


def test_an_output_folder_that_cannot_be_written(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["-c", pairs_folder, "--model", models / "joint", "-o", tmp_path / "file" / "out"]
    assert run("predict", photos, *words) == 2
    assert "results can't be written there" in error_line(capsys)
    words = ["--model", models / "joint", "-o", tmp_path / "file" / "task.safetensors"]
    assert run("context", "build", pairs_folder, *words) == 2
    assert "results can't be written there" in error_line(capsys)
    assert run("context", "build", pairs_folder, *words[:3], tmp_path / "task.bin") == 2
    assert "must end in .safetensors" in error_line(capsys)


def test_damaged_models(
    models: Path,
    photos: Path,
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def message() -> str:
        words = ["-c", pairs_folder, "--model", tmp_path / "model", "-o", tmp_path / "out"]
        assert run("predict", photos, *words) == 2
        return capsys.readouterr().err

    random_pipeline().save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "jdit" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "model.safetensors" in message()
    weights.write_bytes(whole)
    config = tmp_path / "model" / "jdit" / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"mlp_hidden_size": 128', '"mlp_hidden_size": 64'))
    assert "misshaped" in message()
    config.write_text(text.replace('"num_layers": 2', '"num_layers": 3'))
    assert "missing" in message()
    config.write_text(text.replace('"num_heads": 4', '"num_heads": "4"'))
    assert "num_heads" in message()
    config.write_text(text)
    (tmp_path / "model" / "pipeline.json").unlink()
    assert "it has no pipeline.json" in message()


def test_a_pipeline_is_stored_in_half_precision_and_small_files(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half"
    words = ["convert", "pipeline", models / "causal", "-o", half, "--dtype", "float16"]
    assert run(*words, "--max-shard-gib", 0.0001) == 0
    assert len(list((half / "jdit").glob("*.safetensors"))) > 1
    before, after = (
        load_checkpoint(folder, dtype=None, device="cpu") for folder in (models / "causal", half)
    )
    for old, new in zip(before.jdit.parameters(), after.jdit.parameters(), strict=True):
        assert new.dtype == torch.float16
        torch.testing.assert_close(new.float(), old, rtol=1e-3, atol=1e-4)
    assert after.defaults == before.defaults
    assert run(*words, "--num-heads", 4) == 2
    assert "leave num_heads" in error_line(capsys)


def test_a_pipeline_gets_another_patch_size_to_be_trained_further(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "pipeline", models / "causal", "-o", tmp_path / "finer"]
    assert run(*words, "--patch-size", 1) == 0
    nano = ["convert", "pipeline", "nano", "-o", tmp_path / "nano", "--patch-size", 1]
    assert run(*nano) == 0
    finer = load_checkpoint(tmp_path / "finer", dtype=None, device="cpu")
    assert (finer.jdit.config.patch_size, finer.jdit.config.rope_patch_step) == (1, 0.5)
    assert run(*words, "--patch-size", 0) == 2
    assert "patch_size must be at least 1, got 0" in error_line(capsys)
    assert run("convert", "official", tmp_path, "-o", tmp_path / "out", "--patch-size", 1) == 2
    assert "the released checkpoint has its own patch_size" in error_line(capsys)


@pytest.mark.parametrize("size", ["0", "-1", "1e-12", "nan", "inf"])
@pytest.mark.parametrize("layout", ["official", "pipeline"])
def test_files_of_no_size_are_refused_before_anything_is_read(
    layout: str, size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", layout, tmp_path / "nowhere", "-o", tmp_path / "out"]
    assert run(*words, "--max-shard-gib", size) == 2
    assert "max_shard_gib must be above 0 and finite, got" in error_line(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried")])
def test_too_little_memory_is_told_in_a_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_words: object) -> int:
        raise error

    monkeypatch.setattr("lavin_dit.cli.main._run", fail)
    assert run("tasks") == 2
    assert "not enough memory: smaller pictures or batches need less" in error_line(capsys)
    monkeypatch.setattr(error, "args", ("of another kind",))
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError):
            run("tasks")
