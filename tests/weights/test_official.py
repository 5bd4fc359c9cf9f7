import dataclasses
import json
import os
import pickle
import select
import struct
import subprocess
import sys
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS, jdit_config
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from lavin_dit.weights import official
from lavin_dit.weights.checkpoint import load_checkpoint
from lavin_dit.weights.defaults import RELEASED_DEFAULTS
from lavin_dit.weights.official import convert_official
from lavin_dit.weights.store import WeightsMismatchError
from released_folder import (
    ENCODER_NORM_GROUPS,
    NUM_HEADS,
    PARITY,
    jdit_tensors,
    st_vae_tensors,
    write_release,
)

TINY = {"num_heads": NUM_HEADS, "encoder_norm_groups": ENCODER_NORM_GROUPS}
KEYS = {
    "st_vae": json.loads((PARITY / "keys_stvae_default.json").read_text()),
    "jdit": json.loads((PARITY / "keys_lavindit_3b_2.json").read_text()),
}


class _Code:
    """Pickles as a call that leaves a file behind if it is ever made."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def _tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def _assert_refused(source, output, error, match, **settings):
    """The conversion raises one line about it, and leaves everything as it was."""
    before = _tree(output.parent)
    with pytest.raises(error, match=match) as caught:
        convert_official(source, output=output, **(TINY | settings))
    assert _tree(output.parent) == before
    if not isinstance(caught.value, WeightsMismatchError):
        assert len(str(caught.value).splitlines()) == 1
    return caught.value


# What a conversion gives


@pytest.mark.parametrize("max_shard_bytes", [10**9, 400_000])
def test_every_tensor_is_copied_as_it_is(tmp_path, max_shard_bytes):
    source = write_release(tmp_path / "release")
    output = tmp_path / "deep" / "out"
    report = convert_official(source, output=output, max_shard_bytes=max_shard_bytes, **TINY)
    assert sorted(path.name for path in output.iterdir()) == ["jdit", "pipeline.json", "st_vae"]
    for folder, tensors in (("st_vae", st_vae_tensors()), ("jdit", jdit_tensors())):
        files = sorted((output / folder).glob("*.safetensors"))
        assert (len(files) > 1) == (max_shard_bytes < 10**9)
        stored = {name: value for path in files for name, value in load_file(path).items()}
        assert set(stored) == set(tensors)
        for name, value in tensors.items():
            assert torch.equal(stored[name], value)
            assert stored[name].dtype == value.dtype
    loaded = load_checkpoint(output, dtype=torch.float32, device="cpu")
    assert loaded.st_vae.config == report.st_vae
    assert loaded.jdit.config == report.jdit
    assert loaded.defaults == RELEASED_DEFAULTS
    assert report.st_vae_parameters == 1_524_067
    assert report.jdit_parameters == 617_632
    assert report.ignored == ()


def test_tiny_architecture(tmp_path):
    source = write_release(tmp_path / "release")
    report = convert_official(source, output=tmp_path / "out", **TINY)
    config = report.jdit
    assert (config.hidden_size, config.num_layers, config.mlp_hidden_size) == (96, 2, 256)
    assert (config.num_heads, config.num_kv_heads, config.rope_axes_dim) == (4, 2, (8, 8, 8))
    assert (config.latent_channels, config.patch_size) == (16, 2)
    assert (config.context_attention, config.sandwich_norm, config.drop_path) == ("joint", True, 0)
    config = report.st_vae
    assert (config.block_out_channels, config.layers_per_block) == ((32, 64, 32, 32), 1)
    assert (config.encoder_norm_groups, config.decoder_norm_groups) == (8, 32)
    assert (config.latent_channels, config.norm_statistics) == (16, "clip")
    assert (config.latent_mean, config.latent_scale) == ((0.032470703125,), (1.08936170213,))


def test_precision(tmp_path):
    source = write_release(tmp_path / "release")
    convert_official(source, output=tmp_path / "out", dtype=torch.bfloat16, **TINY)
    for folder, tensors in (("st_vae", st_vae_tensors()), ("jdit", jdit_tensors())):
        for name, value in load_file(tmp_path / "out" / folder / "model.safetensors").items():
            assert value.dtype == torch.bfloat16
            assert torch.equal(value, tensors[name].bfloat16())


def test_mixed_precision_of_the_source_is_kept(tmp_path):
    tensors = jdit_tensors()
    tensors = {n: t.bfloat16() if n.startswith("blocks") else t for n, t in tensors.items()}
    source = write_release(tmp_path / "release", jdit=tensors)
    convert_official(source, output=tmp_path / "out", **TINY)
    stored = load_file(tmp_path / "out" / "jdit" / "model.safetensors")
    assert {name: value.dtype for name, value in stored.items()} == {
        name: value.dtype for name, value in tensors.items()
    }


def test_the_folder_itself_and_an_empty_output(tmp_path):
    source = write_release(tmp_path / "release") / "weights"
    (tmp_path / "out").mkdir()
    convert_official(source, output=tmp_path / "out", **TINY)
    assert (tmp_path / "out" / "pipeline.json").is_file()


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_of_the_st_vae(tmp_path, wrapped, zipped):
    tensors = st_vae_tensors()
    source = write_release(tmp_path / "release")
    path = source / "weights" / "stvae.pt"
    # A training checkpoint: other entries, views that share a storage, parameters.
    shared = torch.nn.Parameter(tensors["encoder.conv_in.conv.bias"].repeat(2)[:32])
    tensors["encoder.conv_in.conv.bias"] = shared
    content = {"epoch": 3, "state_dict": tensors} if wrapped else tensors
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    convert_official(source, output=tmp_path / "out", **TINY)
    stored = load_file(tmp_path / "out" / "st_vae" / "model.safetensors")
    assert torch.equal(stored["encoder.conv_in.conv.bias"], shared)


def test_losses_are_left_out_and_told(tmp_path):
    extra = {"loss.discriminator.weight": torch.ones(3), "loss.logvar": torch.zeros(())}
    source = write_release(tmp_path / "release", st_vae={"state_dict": st_vae_tensors() | extra})
    report = convert_official(source, output=tmp_path / "out", **TINY)
    assert report.ignored == tuple(extra)
    assert report.st_vae_parameters == 1_524_067


# The released sizes


def _write_sparse_safetensors(path, shapes):
    """Write a file whose values take no space on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(file.tell() + end)


@pytest.fixture
def full_size_release(tmp_path):
    """Files with the names and shapes of the release: 13.6 GB and 0.86 GB of holes."""
    folder = tmp_path / "release"
    folder.mkdir()
    _write_sparse_safetensors(folder / "lavin_dit.safetensors", KEYS["jdit"])
    with torch.device("cpu"):
        state = {name: torch.empty(shape) for name, shape in KEYS["st_vae"].items()}
    with torch.serialization.skip_data():
        torch.save({"state_dict": state}, folder / "stvae.pt")
    return folder


class _HeadersOnly:
    """A safetensors file whose values are never read: 13.6 GB of zeros take seconds."""

    def __init__(self, file):
        self.file, self.keys, self.get_slice = file, file.keys, file.get_slice

    def get_tensor(self, name):
        return torch.empty(self.get_slice(name).get_shape(), device="meta")


class _RecordingWriter:
    """Stands where files would be written, and notes what is handed over."""

    written: dict

    def __init__(self, directory, *, config, max_shard_bytes):
        self.config, self.shapes = config, {}
        self.written[directory.name] = self

    def add(self, name, tensor):
        self.shapes[name] = list(tensor.shape)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def nothing_written(monkeypatch):
    open_safetensors = official.open_safetensors

    @contextmanager
    def open_headers(path):
        with open_safetensors(path) as file:
            yield _HeadersOnly(file)

    monkeypatch.setattr(official, "open_safetensors", open_headers)
    monkeypatch.setattr(_RecordingWriter, "written", {}, raising=False)
    monkeypatch.setattr(official, "ShardWriter", _RecordingWriter)
    _pretend_free_space(monkeypatch, 10**12)


def _pretend_free_space(monkeypatch, num_bytes):
    monkeypatch.setattr(
        official.shutil, "disk_usage", lambda _: namedtuple("usage", "free")(num_bytes)
    )


@pytest.mark.unchecked
def test_released_sizes(full_size_release, tmp_path, nothing_written):
    report = convert_official(full_size_release, output=tmp_path / "out")
    assert report.jdit == JDIT_PRESETS["3.4b"]
    assert report.st_vae == ST_VAE_PRESETS["released"]
    assert report.jdit_parameters == 3_398_976_064
    assert report.st_vae_parameters == 215_583_907
    for folder, config, network in (
        ("jdit", report.jdit, JDiT),
        ("st_vae", report.st_vae, STVAE),
    ):
        writer = _RecordingWriter.written[folder]
        assert writer.shapes == KEYS[folder]
        assert writer.config == config
        with torch.device("meta"):
            state = network(config).state_dict()
        assert {name: list(tensor.shape) for name, tensor in state.items()} == KEYS[folder]


def test_too_small_a_disk(full_size_release, tmp_path, monkeypatch):
    _pretend_free_space(monkeypatch, 14 * 10**9)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match=r"new: the pipeline takes 14.46 GB, and 14.00 GB are free"):
        convert_official(full_size_release, output=tmp_path / "out" / "new")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.unchecked
def test_other_heads_than_the_preset_s(full_size_release, tmp_path, nothing_written):
    report = convert_official(full_size_release, output=tmp_path / "out", num_heads=16)
    assert (report.jdit.num_heads, report.jdit.num_kv_heads) == (16, 4)
    assert (report.jdit.rope_axes_dim, report.jdit.drop_path) == ((48, 48, 48), 0.0)


# Architectures that shapes leave open


def test_heads_are_needed(tmp_path):
    source = write_release(tmp_path / "release")
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        r"lavin_dit.safetensors: no shape tells the number of heads, .* give num_heads, "
        r"which can be 2, 4, 8, 16 here$",
        num_heads=None,
    )


@pytest.mark.parametrize("num_heads", [0, 1, -4, 3, 6, 32])
def test_heads_that_do_not_fit(tmp_path, num_heads):
    source = write_release(tmp_path / "release")
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        rf"num_heads {num_heads} does not fit, expected one of 2, 4, 8, 16: a head's size must be "
        rf"a multiple of 6 and divide the widths of the queries \(96\) and of the keys \(48\)",
        num_heads=num_heads,
    )


def test_no_number_of_heads_fits(tmp_path):
    tensors = {name: value for name, value in jdit_tensors().items() if "_k" not in name}
    tensors = {name: value for name, value in tensors.items() if "_v" not in name}
    source = write_release(tmp_path / "release", jdit=tensors)  # keys as wide as the released ones
    _assert_refused(source, tmp_path / "out", ValueError, "no number of heads fits: a head's size")


def test_groups_that_do_not_fit(tmp_path):
    source = write_release(tmp_path / "release")
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        r"stvae.pt: block_out_channels \(32, 64, 32, 32\) .* of encoder_norm_groups 48$",
        encoder_norm_groups=48,
    )


def test_no_square_patch(tmp_path):
    tensors = jdit_tensors()
    for name in ("cond_embedder.0.weight", "x_embedder.0.weight"):
        tensors[name] = tensors[name][:, :48].contiguous()
    source = write_release(tmp_path / "release", jdit=tensors)
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        "safetensors: a token holds 48 values, which is no square patch of the ST-VAE's 16 latent",
    )


# Tensors that aren't the network's


def _mutate(tensors, *, drop=(), add=None, narrow=()):
    changed = {name: value for name, value in tensors.items() if name not in drop}
    for name in narrow:
        changed[name] = changed[name][..., :-1].contiguous()
    return changed | (add or {})


def test_all_differences_of_the_jdit_are_listed(tmp_path):
    drop = ("prompt_embed", "blocks.0.x_mlp.up_proj.weight", "blocks.1.joint_attn.cond_k.weight")
    narrow = ("blocks.1.joint_attn.x_q.weight", "final_layer.linear.bias")
    extra = {"loss.weight": torch.ones(1), "ema.decay": torch.ones(1)}
    tensors = _mutate(jdit_tensors(), drop=drop, add=extra, narrow=narrow)
    source = write_release(tmp_path / "release", jdit=tensors)
    error = _assert_refused(
        source,
        tmp_path / "out",
        WeightsMismatchError,
        r"lavin_dit.safetensors does not fit the model",
    )
    assert set(error.missing) == set(drop)
    assert set(error.unexpected) == set(extra)  # losses are the ST-VAE's alone
    assert error.misshaped == {
        "blocks.1.joint_attn.x_q.weight": ((96, 95), (96, 96)),
        "final_layer.linear.bias": ((63,), (64,)),
    }


def test_all_differences_of_the_st_vae_are_listed(tmp_path):
    drop = ("encoder.down_blocks.0.resnets.0.conv1.conv.weight", "decoder.conv_in.conv.bias")
    narrow = ("encoder.down_blocks.1.resnets.0.conv2.conv.bias",)
    extra = {"discriminator.loss.weight": torch.ones(1)}
    tensors = _mutate(st_vae_tensors(), drop=drop, add=extra, narrow=narrow)
    source = write_release(tmp_path / "release", st_vae={"state_dict": tensors})
    error = _assert_refused(source, tmp_path / "out", WeightsMismatchError, "stvae.pt does not fit")
    assert set(error.missing) == set(drop)
    assert error.unexpected == tuple(extra)
    assert error.misshaped == {narrow[0]: ((63,), (64,))}


@pytest.mark.parametrize("name", ["stvae.pt", "lavin_dit.safetensors"])
def test_a_file_of_another_network(tmp_path, name):
    """It is answered with what the released network has, and needs no number of heads."""
    other = {"transformer.weight": torch.ones(2, 3), "blocks.weight": torch.ones(3)}
    source = write_release(tmp_path / "release")
    path = source / "weights" / name
    if name == "stvae.pt":
        torch.save(other, path)
    else:
        save_file(other, path)
    error = _assert_refused(
        source,
        tmp_path / "out",
        WeightsMismatchError,
        rf"{name} does not fit",
        num_heads=None,
        encoder_norm_groups=32,
    )
    assert len(error.missing) == len(KEYS["st_vae" if name == "stvae.pt" else "jdit"])
    assert set(error.unexpected) == set(other)


@pytest.mark.parametrize("index", [7, 10**9])
def test_a_stray_block_does_not_grow_the_network(tmp_path, index):
    extra = {f"blocks.{index}.cond_modulation.1.bias": torch.ones(384)}
    source = write_release(tmp_path / "release", jdit=_mutate(jdit_tensors(), add=extra))
    error = _assert_refused(source, tmp_path / "out", WeightsMismatchError, "does not fit")
    assert 0 < len(error.missing) < 50 * 22


@pytest.mark.parametrize("name", ["stvae.pt", "lavin_dit.safetensors"])
def test_whole_numbers_are_no_weights(tmp_path, name):
    tensors = st_vae_tensors() if name == "stvae.pt" else jdit_tensors()
    chosen = sorted(tensors)[5]
    tensors[chosen] = tensors[chosen].to(torch.int8)
    changed = {"st_vae": tensors} if name == "stvae.pt" else {"jdit": tensors}
    source = write_release(tmp_path / "release", **changed)
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        rf"{name}: 1 tensors hold no plain floating-point numbers, the first is {chosen}$",
    )


# Files that are damaged or dangerous


@pytest.mark.parametrize(
    "entries", [{}, {"state_dict": None}, {"state_dict": {"a": 1}, "epoch": 2}, {"optimizer": {}}]
)
def test_code_in_the_pickle_is_not_run(tmp_path, entries):
    source = write_release(tmp_path / "release", st_vae=entries | {"x": _Code(tmp_path / "ran")})
    _assert_refused(
        source, tmp_path / "out", ValueError, r"stvae.pt: it contains code, which is not run \("
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_plain_pickle_is_not_run(tmp_path, protocol):
    source = write_release(tmp_path / "release")
    content = pickle.dumps({"state_dict": _Code(tmp_path / "ran")}, protocol=protocol)
    (source / "weights" / "stvae.pt").write_bytes(content)
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        "stvae.pt: it contains code|stvae.pt is not a whole PyTorch checkpoint",
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must hold a state dict, got list"),
        ({"state_dict": [1]}, "must hold a state dict, got list"),
        ({"state_dict": {"a": 1}}, "must hold tensors by name, .*; 'a' is int"),
        ({"model": {"a": torch.ones(1)}}, "must hold tensors by name, .*; 'model' is dict"),
        ({3: torch.ones(1)}, "must hold tensors by name, .*; 3 is Tensor"),
    ],
)
def test_pickles_of_something_else(tmp_path, content, message):
    source = write_release(tmp_path / "release", st_vae=content)
    _assert_refused(source, tmp_path / "out", ValueError, f"stvae.pt {message}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stvae.pt", "stvae.pt is not a whole PyTorch checkpoint: it is damaged, incomplete"),
        ("lavin_dit.safetensors", "lavin_dit.safetensors is not a whole safetensors file: "),
    ],
)
@pytest.mark.parametrize("keep", [0, 3, 200, 60_000, -1])
def test_truncated_files(tmp_path, name, message, keep):
    source = write_release(tmp_path / "release")
    path = source / "weights" / name
    path.write_bytes(path.read_bytes()[:keep])
    _assert_refused(source, tmp_path / "out", ValueError, message)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>", b"hello world\n" * 20, b"PK\x03\x04"]
)
@pytest.mark.parametrize("name", ["stvae.pt", "lavin_dit.safetensors"])
def test_files_of_another_kind(tmp_path, name, content):
    source = write_release(tmp_path / "release")
    (source / "weights" / name).write_bytes(content)
    _assert_refused(source, tmp_path / "out", ValueError, f"{name} is not a whole ")


def test_missing_files(tmp_path):
    source = write_release(tmp_path / "release")
    looked = rf"{source}: looked for stvae.pt and lavin_dit.safetensors there and in {source}/weig"
    (source / "weights" / "lavin_dit.safetensors").unlink()
    _assert_refused(
        source, tmp_path / "out", FileNotFoundError, rf"{looked}hts, found {source}/weights/stvae.p"
    )
    (source / "weights" / "stvae.pt").unlink()
    _assert_refused(source, tmp_path / "out", FileNotFoundError, rf"{looked}hts, found neither$")
    _assert_refused(tmp_path / "nowhere", tmp_path / "out", FileNotFoundError, "found neither$")
    (tmp_path / "weights.tar.gz").write_bytes(b"")
    _assert_refused(
        tmp_path / "weights.tar.gz",
        tmp_path / "out",
        FileNotFoundError,
        "weights.tar.gz is a file: unpack the release and name its folder",
    )


# Outputs


def test_a_pipeline_is_not_overwritten(tmp_path):
    source = write_release(tmp_path / "release")
    convert_official(source, output=tmp_path / "out", **TINY)
    _assert_refused(
        source,
        tmp_path / "out",
        FileExistsError,
        "out holds a saved pipeline already and nothing is overwritten: name an empty or a new",
    )


def test_other_files_are_not_joined(tmp_path):
    source = write_release(tmp_path / "release")
    _assert_refused(source, source, FileExistsError, "release holds files already and nothing is")
    _assert_refused(
        source,
        source / "weights" / "stvae.pt",
        FileExistsError,
        "stvae.pt is a file: name an empty or a new folder$",
    )


def test_an_output_that_cannot_be_written_is_found_before_work(tmp_path, monkeypatch):
    source = write_release(tmp_path / "release")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(official, "ShardWriter", None)  # any use of it would be another error
    _assert_refused(
        source,
        tmp_path / "file" / "out",
        OSError,
        r"file/out can't be written to: Not a directory$",
    )


def test_a_read_only_output(tmp_path, monkeypatch):
    source = write_release(tmp_path / "release")
    folder = tmp_path / "read_only"
    folder.mkdir()

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    # The one who runs the tests may be allowed to write anywhere, so no mode would do.
    monkeypatch.setattr(official.tempfile, "TemporaryFile", refuse)
    _assert_refused(source, folder, OSError, "read_only can't be written to: Permission denied$")


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [3, 250])
def test_nothing_is_left_of_a_conversion_that_fails(tmp_path, monkeypatch, existed, failure, after):
    source = write_release(tmp_path / "release")
    output = tmp_path / "deep" / "out"
    if existed:
        output.mkdir(parents=True)
    calls = []
    add = official.ShardWriter.add

    def fail_later(self, name, tensor):
        calls.append(name)
        if len(calls) > after:
            raise failure
        add(self, name, tensor)

    monkeypatch.setattr(official.ShardWriter, "add", fail_later)
    before = _tree(tmp_path)
    with pytest.raises(type(failure)):
        convert_official(source, output=output, max_shard_bytes=100_000, **TINY)
    assert _tree(tmp_path) == before
    monkeypatch.undo()
    convert_official(source, output=output, **TINY)


@pytest.mark.parametrize("size", [0, -1])
def test_shards_of_no_size(tmp_path, size):
    source = write_release(tmp_path / "release")
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        f"max_shard_bytes must be at least 1, got {size}",
        max_shard_bytes=size,
    )


def test_a_precision_that_is_none(tmp_path):
    source = write_release(tmp_path / "release")
    _assert_refused(
        source,
        tmp_path / "out",
        ValueError,
        "dtype must be a floating-point type, got torch.int8",
        dtype=torch.int8,
    )


# Memory

_CONVERT = """
import sys
from pathlib import Path
import torch
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.weights.official import convert_official
with torch.device("meta"):
    JDiT(JDIT_PRESETS["nano"])  # torch imports much of itself on first use
source, output, shard = sys.argv[1:]
for dtype in (None, torch.bfloat16):
    print(flush=True)
    sys.stdin.readline()
    convert_official(
        Path(source), output=Path(output, str(dtype)), dtype=dtype, num_heads=8,
        max_shard_bytes=int(shard),
    )
    print(flush=True)
"""


def _private_bytes(pid):
    """Memory of a process that no file stands behind, so that it can't be given up under need."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


@pytest.fixture
def large_release(tmp_path):
    """321 MB of J-DiT and 217 MB of ST-VAE, which take no space on the disk."""
    folder = tmp_path / "release"
    folder.mkdir()
    with torch.device("meta"):
        jdit = JDiT(
            jdit_config(hidden_size=960, num_layers=3, num_heads=8, num_kv_heads=2, drop_path=0.0)
        )
        st_vae = STVAE(
            dataclasses.replace(ST_VAE_PRESETS["released"], block_out_channels=(64, 128, 128, 256))
        )
    _write_sparse_safetensors(
        folder / "lavin_dit.safetensors",
        {name: list(value.shape) for name, value in jdit.state_dict().items()},
    )
    state = {name: torch.empty(value.shape) for name, value in st_vae.state_dict().items()}
    with torch.serialization.skip_data():
        torch.save({"state_dict": state}, folder / "stvae.pt")
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's counters")
def test_no_more_than_a_shard_is_in_memory(large_release, tmp_path):
    shard = 30 * 10**6
    rises = {}
    with subprocess.Popen(
        [sys.executable, "-c", _CONVERT, large_release, tmp_path / "out", str(shard)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        for dtype, num_bytes in (("None", 547e6), ("torch.bfloat16", 273e6)):
            assert process.stdout.readline() == "\n"
            before = peak = _private_bytes(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            while not select.select([process.stdout], [], [], 0.002)[0]:
                peak = max(peak, _private_bytes(process.pid))
            assert process.stdout.readline() == "\n"
            rises[dtype] = peak - before
            written = sum(
                path.stat().st_size for path in (tmp_path / "out" / dtype).rglob("*.safetensors")
            )
            assert written == pytest.approx(num_bytes, rel=0.01)
    # Measured: 2 MB without and 50 MB with a change of precision, whatever the networks' size.
    assert rises["None"] < 2 * shard
    assert rises["torch.bfloat16"] < 3 * shard
