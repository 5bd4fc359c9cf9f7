import contextlib
import json
import os
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lavin_dit.weights import shards, store

NAMES = ("inner.0.bias", "inner.0.weight", "inner.1.bias", "inner.1.weight", "offset", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    width: int
    axes: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OtherConfig:
    width: int


class _Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        width = config.width
        self.inner = nn.Sequential(nn.Linear(width, 5), nn.Linear(5, width))
        self.offset = nn.Parameter(torch.zeros(3), requires_grad=False)
        self.register_buffer("step", torch.tensor(12))

    def forward(self, value):
        return self.inner(value)


class _ModelWithTable(_Model):
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("table", torch.arange(4.0), persistent=False)


class _NoModel:
    """Stands where nothing may be built."""

    def __init__(self, config):
        raise AssertionError("built")


CONFIG = _Config(width=7, axes=(2, 3))
EXPECTED = {name: tuple(tensor.shape) for name, tensor in _Model(CONFIG).state_dict().items()}


def _model(seed=0):
    model = _Model(CONFIG)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return model


def _load(directory, **options):
    return store.load_model(_Model, _Config, directory, **options)


def _assert_same(model, expected):
    state, expected_state = model.state_dict(), expected.state_dict()
    assert list(state) == list(expected_state)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, expected_state[name], rtol=0, atol=0)


def _files(directory):
    return sorted(path.name for path in Path(directory).iterdir())


def _cut(path, *, keep):
    path.write_bytes(path.read_bytes()[:keep])


# Round trips


def test_one_file(tmp_path):
    model = _model()
    store.save_model(model, CONFIG, tmp_path / "new" / "folder")
    assert _files(tmp_path / "new" / "folder") == ["config.json", "model.safetensors"]
    loaded = _load(tmp_path / "new" / "folder")
    _assert_same(loaded, model)
    assert loaded.config == CONFIG
    assert isinstance(loaded.config.axes, tuple)
    assert not loaded.training
    value = torch.ones(2, 7)
    assert torch.equal(loaded(value), model(value))


@pytest.mark.parametrize("max_shard_bytes", [1, 150, 200])
def test_shards(tmp_path, max_shard_bytes):
    model = _model()
    store.save_model(model, CONFIG, tmp_path, max_shard_bytes=max_shard_bytes)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    paths = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(paths) == {1: 6, 150: 5, 200: 2}[max_shard_bytes]
    for number, path in enumerate(paths, start=1):
        assert path.name == f"model-{number:05}-of-{len(paths):05}.safetensors"
        tensors = load_file(path)
        assert {name for name, file in index["weight_map"].items() if file == path.name} == set(
            tensors
        )
        assert len(tensors) == 1 or sum(t.nbytes for t in tensors.values()) <= max_shard_bytes
    total = sum(tensor.nbytes for tensor in model.state_dict().values())
    assert index["metadata"]["total_size"] == total
    _assert_same(_load(tmp_path), model)


def test_dtype_of_what_is_saved_and_of_what_is_loaded(tmp_path):
    model = _model()
    store.save_model(model, CONFIG, tmp_path / "half", dtype=torch.bfloat16)
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert stored["offset"].dtype == torch.bfloat16
    assert stored["step"].dtype == torch.int64
    assert _load(tmp_path / "half").offset.dtype == torch.bfloat16
    wide = _load(tmp_path / "half", dtype=torch.float32)
    _assert_same(wide, model.bfloat16().float())
    assert wide.step.dtype == torch.int64


def test_parameters_keep_whether_they_are_trained(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path)
    loaded = _load(tmp_path)
    assert {name for name, value in loaded.named_parameters() if not value.requires_grad} == {
        "offset"
    }
    loaded(torch.ones(1, 7)).sum().backward()
    assert loaded.inner[0].weight.grad is not None


def test_a_loaded_model_can_be_trained_and_saved_over_its_own_files(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=150)
    loaded = _load(tmp_path)
    with torch.no_grad():
        loaded.inner[0].weight += 1.0
    store.save_model(loaded, CONFIG, tmp_path, max_shard_bytes=150)
    expected = _model()
    expected.inner[0].weight.data += 1.0
    _assert_same(_load(tmp_path), expected)


def test_views_are_saved_without_what_they_were_cut_from(tmp_path):
    fused = torch.arange(12.0).reshape(4, 3)
    with store.ShardWriter(tmp_path) as writer:
        for name, rows in (("q", fused[:2]), ("k", fused[2:]), ("t", fused.T)):
            writer.add(name, rows)
    stored = load_file(tmp_path / "model.safetensors")
    assert torch.equal(stored["q"], fused[:2])
    assert torch.equal(stored["k"], fused[2:])
    assert torch.equal(stored["t"], fused.T)
    assert _files(tmp_path) == ["model.safetensors"]


def test_a_loaded_model_takes_over_the_loaded_tensors(tmp_path, monkeypatch):
    """No second copy: its parameters are the very memory that was loaded."""
    store.save_model(_model(), CONFIG, tmp_path)
    loaded_states = []
    load = store.load_state
    monkeypatch.setattr(
        store,
        "load_state",
        lambda *args, **options: loaded_states.append(load(*args, **options)) or loaded_states[0],
    )
    loaded = _load(tmp_path)
    for name, tensor in loaded.state_dict().items():
        assert tensor.data_ptr() == loaded_states[0][name].data_ptr()


# Strictness


def _save_state(directory, changes):
    """Save the model's weights with some of them changed, or left out if None."""
    state = {**_model().state_dict(), **changes}
    directory.mkdir(exist_ok=True)
    save_file(
        {name: tensor for name, tensor in state.items() if tensor is not None},
        directory / "model.safetensors",
    )


def test_everything_that_differs_is_listed(tmp_path):
    changes = {"offset": None, "inner.1.bias": torch.zeros(9), "more": torch.zeros(1)}
    _save_state(tmp_path, changes)
    with pytest.raises(store.WeightsMismatchError) as caught:
        store.load_state(tmp_path, expected=EXPECTED)
    assert str(caught.value) == (
        f"{tmp_path} does not fit the model\n"
        "missing (1):\n"
        "  offset\n"
        "unexpected (1):\n"
        "  more\n"
        "misshaped (1):\n"
        "  inner.1.bias: stored (9,), expected (7,)"
    )
    assert caught.value.missing == ("offset",)
    assert caught.value.unexpected == ("more",)
    assert caught.value.misshaped == {"inner.1.bias": ((9,), (7,))}


def test_long_lists_are_cut_and_counted(tmp_path):
    _save_state(tmp_path, {f"extra.{number:03}": torch.zeros(1) for number in range(25)})
    with pytest.raises(store.WeightsMismatchError) as caught:
        store.load_state(tmp_path, expected=EXPECTED)
    lines = str(caught.value).splitlines()
    assert lines[1] == "unexpected (25):"
    assert lines[-1] == "  and 5 more"
    assert len(lines) == 2 + 20 + 1
    assert len(caught.value.unexpected) == 25


def test_a_mismatch_is_found_before_any_value_is_read(tmp_path, monkeypatch):
    store.save_model(_model(), _Config(width=8, axes=(2, 3)), tmp_path)
    monkeypatch.setattr(store, "_cast", lambda *_: pytest.fail("read a value"))
    with pytest.raises(store.WeightsMismatchError, match=r"stored \(5, 7\), expected \(5, 8\)"):
        _load(tmp_path)


def test_load_state_gives_exactly_what_is_expected(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=150)
    state = store.load_state(tmp_path, expected=EXPECTED, dtype=torch.float64)
    assert sorted(state) == sorted(NAMES)
    assert state["offset"].dtype == torch.float64
    assert torch.equal(state["offset"].float(), _model().offset)


def test_buffers_that_are_not_saved_fail_loudly(tmp_path):
    store.save_model(_ModelWithTable(CONFIG), CONFIG, tmp_path)
    with pytest.raises(RuntimeError, match=r"internal error: _ModelWithTable .*: table$"):
        store.load_model(_ModelWithTable, _Config, tmp_path)


def test_another_configuration_is_refused_before_building(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path)
    message = r"config\.json: the configuration is for '_Config', expected '_OtherConfig'"
    with pytest.raises(ValueError, match=message):
        store.load_model(_NoModel, _OtherConfig, tmp_path)


# Damaged and missing files


def test_a_folder_that_does_not_exist(tmp_path):
    for load in (_load, lambda folder: store.load_state(folder, expected=EXPECTED)):
        with pytest.raises(FileNotFoundError, match=r"no weights folder at .*nowhere"):
            load(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no configuration at .*config\.json"):
        _load(tmp_path)
    message = r"looked for model\.safetensors and model\.safetensors\.index\.json$"
    with pytest.raises(FileNotFoundError, match=message):
        store.load_state(tmp_path, expected=EXPECTED)


@pytest.mark.parametrize(
    ("keep", "reason"),
    [(-10, "not fully covered"), (30, "header"), (5, "header too small"), (0, "header too small")],
)
@pytest.mark.parametrize("max_shard_bytes", [10**6, 150])
def test_a_truncated_file_is_named(tmp_path, keep, reason, max_shard_bytes):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=max_shard_bytes)
    path = sorted(tmp_path.glob("model*.safetensors"))[-1]
    _cut(path, keep=keep)
    with pytest.raises(ValueError, match=f"{path} is not a whole safetensors file: .*{reason}"):
        _load(tmp_path)


def test_a_missing_shard_is_named(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=150)
    (tmp_path / "model-00002-of-00005.safetensors").unlink()
    message = r"index\.json names missing model-00002-of-00005\.safetensors$"
    with pytest.raises(FileNotFoundError, match=message):
        _load(tmp_path)


def _change_index(directory, change):
    path = directory / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index["weight_map"].pop("step"), "disagree about 1 tensors.* step"),
        (
            lambda index: index["weight_map"].update(more="model-00001-of-00005.safetensors"),
            "model-00001-of-00005.* disagree about 1 tensors, the first is more",
        ),
        (lambda index: index["weight_map"].update(step="../x"), r"step must be in .*'\.\./x'"),
        (lambda index: index["weight_map"].update(step=3), "step must be in a file .* got 3"),
        (lambda index: index.pop("weight_map"), "has no weight_map"),
    ],
)
def test_an_index_that_contradicts_its_shards(tmp_path, change, message):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=150)
    _change_index(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        _load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": ', "is not JSON"), (b"\xff\xfe", "is not JSON"), (b"[1]", "got list")],
)
def test_damaged_json_is_named(tmp_path, name, content, message):
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=150)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path / name} .*{message}"):
        _load(tmp_path)


# Replacing earlier weights


@pytest.mark.parametrize("before", [10**6, 150, 1])
@pytest.mark.parametrize("after", [10**6, 150, 1])
def test_new_weights_replace_earlier_ones(tmp_path, before, after):
    (tmp_path / "README.md").write_text("a user's own file")
    (tmp_path / "model-notes.safetensors").write_text("likewise")
    store.save_model(_model(1), CONFIG, tmp_path, max_shard_bytes=before)
    store.save_model(_model(2), CONFIG, tmp_path, max_shard_bytes=after)
    _assert_same(_load(tmp_path), _model(2))
    count = {10**6: 1, 150: 6, 1: 7}[after]
    assert len(_files(tmp_path)) == 3 + count


def _fail_after(function, calls):
    """Let a function work for a number of calls, then fail as a full disk would."""
    left = iter(range(calls))

    def wrapper(*args, **kwargs):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("before", [10**6, 150, 1])
@pytest.mark.parametrize("after", [10**6, 150])
def test_a_failed_write_leaves_the_earlier_weights(tmp_path, monkeypatch, before, after):
    """Whichever write or move fails, and whatever was there before, nothing has changed after."""
    other = _Config(width=7, axes=(5, 6))
    store.save_model(_model(1), CONFIG, tmp_path, max_shard_bytes=before)
    contents = _contents(tmp_path)
    failures = []
    for owner, name in ((shards, "save_file"), (Path, "write_text"), (Path, "replace")):
        for calls in range(20):
            try:
                with monkeypatch.context() as patch:
                    patch.setattr(owner, name, _fail_once(getattr(owner, name), calls))
                    store.save_model(_model(2), other, tmp_path, max_shard_bytes=after)
            except OSError as error:
                failures.append(error.strerror)
            else:
                break
            assert _contents(tmp_path) == contents
        store.save_model(_model(1), CONFIG, tmp_path, max_shard_bytes=before)
        assert _contents(tmp_path) == contents
    # Every shard, index and configuration is written once and moved once; some are set aside.
    assert set(failures) == {"No space left on device"}
    assert len(failures) >= {10**6: 1 + 1 + 2, 150: 5 + 2 + 7}[after]


def _contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _fail_once(function, calls):
    """Let a function fail at one call only: what tidies up afterwards may use it."""
    count = 0

    def wrapper(*args, **kwargs):
        nonlocal count
        count += 1
        if count == calls + 1:
            raise OSError(28, "No space left on device")
        return function(*args, **kwargs)

    return wrapper


class _Killed(BaseException):
    """The process ends here: nothing after this may count on having run."""


@pytest.mark.parametrize("before", [10**6, 150])
@pytest.mark.parametrize("after", [10**6, 150])
@pytest.mark.parametrize("new_config", [CONFIG, _Config(width=7, axes=(5, 6))])
def test_a_kill_never_leaves_a_mixture(tmp_path, monkeypatch, before, after, new_config):
    outcomes = []
    for calls in range(20):
        folder = tmp_path / str(calls)
        store.save_model(_model(1), CONFIG, folder, max_shard_bytes=before)
        with monkeypatch.context() as patch:
            _kill_at_move(patch, calls)
            with contextlib.suppress(_Killed):
                store.save_model(_model(2), new_config, folder, max_shard_bytes=after)
        outcomes.append(_outcome(folder, new_config))
    num_refused = outcomes.count("refused")
    assert outcomes[0] == "earlier"
    assert outcomes[1:] == ["refused"] * num_refused + ["new"] * (19 - num_refused)
    in_one_step = after == 10**6 and new_config == CONFIG
    assert (num_refused == 0) == in_one_step


def test_one_file_with_the_same_configuration_is_replaced_in_one_step(tmp_path, monkeypatch):
    store.save_model(_model(1), CONFIG, tmp_path)
    moves = []
    replace = Path.replace
    monkeypatch.setattr(
        Path,
        "replace",
        lambda self, target: moves.append(Path(target).name) or replace(self, target),
    )
    store.save_model(_model(2), CONFIG, tmp_path)
    assert moves == ["model.safetensors"]
    _assert_same(_load(tmp_path), _model(2))


def _kill_at_move(patch, calls):
    """End the process at a move: no undoing and no tidying up can run after it."""
    moves = _fail_after(Path.replace, calls)

    def replace(self, target):
        try:
            return moves(self, target)
        except OSError as error:
            raise _Killed from error

    patch.setattr(Path, "replace", replace)
    patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    patch.setattr(Path, "rmdir", lambda self: None)
    patch.setattr(shards.shutil, "rmtree", lambda *args, **kwargs: None)


def _outcome(folder, new_config):
    """What a folder loads as: the earlier weights, the new ones, or not at all."""
    try:
        loaded = _load(folder)
    except FileNotFoundError as error:
        return "refused" if ".earlier-" in str(error) else f"no hint in {error}"
    is_new = torch.equal(loaded.offset, _model(2).offset)
    _assert_same(loaded, _model(2) if is_new else _model(1))
    assert loaded.config == (new_config if is_new else CONFIG)
    return "new" if is_new else "earlier"


def test_an_exception_of_the_caller_discards_what_was_written(tmp_path):
    store.save_model(_model(1), CONFIG, tmp_path)

    def convert():
        with store.ShardWriter(tmp_path, config=CONFIG, max_shard_bytes=150) as writer:
            for name, tensor in _model(2).state_dict().items():
                writer.add(name, tensor)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert()
    assert _files(tmp_path) == ["config.json", "model.safetensors"]
    _assert_same(_load(tmp_path), _model(1))


# The writer


def test_the_writer_lets_go_of_written_shards(tmp_path):
    """Two tensors fit a shard: never are more than two alive, the one being made included."""
    alive = []
    with store.ShardWriter(tmp_path, max_shard_bytes=2 * 4000) as writer:
        for number in range(9):
            tensor = torch.full((1000,), float(number))
            writer.add(f"t{number}", tensor)
            alive.append(weakref.ref(tensor))
            del tensor
            assert sum(reference() is not None for reference in alive) <= 2
    assert not any(reference() is not None for reference in alive)
    state = store.load_state(tmp_path, expected={f"t{number}": (1000,) for number in range(9)})
    assert [float(state[f"t{number}"][-1]) for number in range(9)] == list(range(9))


def test_a_view_does_not_keep_the_larger_tensor_alive(tmp_path):
    large = torch.zeros(1000, 3)
    reference = weakref.ref(large.untyped_storage())
    with store.ShardWriter(tmp_path) as writer:
        writer.add("part", large[:2])
        del large
        assert reference() is None


def test_saving_does_not_convert_the_whole_model_at_once(tmp_path, monkeypatch):
    sizes = []
    write = shards.save_file
    monkeypatch.setattr(
        shards,
        "save_file",
        lambda tensors, *args, **kwargs: (
            sizes.append(sum(tensor.nbytes for tensor in tensors.values())),
            write(tensors, *args, **kwargs),
        ),
    )
    store.save_model(_model(), CONFIG, tmp_path, max_shard_bytes=80, dtype=torch.bfloat16)
    assert max(sizes) <= 80
    assert len(sizes) > 1


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"cannot write weights into .*file"):
            store.save_model(_model(), CONFIG, folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="cannot write weights into"):
            store.save_model(_model(2), CONFIG, tmp_path)
        _assert_same(_load(tmp_path), _model())
    finally:
        tmp_path.chmod(0o700)


def test_a_denied_folder_is_told_before_anything_is_written(tmp_path, monkeypatch):
    def deny(**options):
        raise PermissionError(13, "Permission denied", str(options["dir"]))

    monkeypatch.setattr(shards.tempfile, "mkdtemp", deny)
    message = "cannot write weights into .*: Permission denied"
    with pytest.raises(PermissionError, match=message):
        store.save_model(_model(), CONFIG, tmp_path)
    assert _files(tmp_path) == []


def test_a_full_disk_is_an_error_of_the_system(tmp_path, monkeypatch):
    def write(*_args, **_options):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(shards, "save_file", write)
    message = f"^cannot write weights into {tmp_path}: .*No space left on device$"
    with pytest.raises(OSError, match=message):
        store.save_model(_model(), CONFIG, tmp_path)
    assert _files(tmp_path) == []


def test_the_writer_refuses(tmp_path):
    with pytest.raises(ValueError, match="max_shard_bytes must be at least 1, got 0"):
        store.ShardWriter(tmp_path, max_shard_bytes=0)
    with pytest.raises(TypeError, match="a configuration is a dataclass instance"):
        store.ShardWriter(tmp_path, config={"width": 7})
    writer = store.ShardWriter(tmp_path)
    writer.add("a", torch.zeros(2))
    with pytest.raises(ValueError, match="tensor a was added twice"):
        writer.add("a", torch.zeros(2))
    with pytest.raises(ValueError, match="tensor b is on the meta device"):
        writer.add("b", torch.zeros(2, device="meta"))
    writer.close()
    for use in (writer.close, lambda: writer.add("c", torch.zeros(2))):
        with pytest.raises(RuntimeError, match="this writer is closed"):
            use()
    with pytest.raises(ValueError, match="no tensor was added"):
        store.ShardWriter(tmp_path).close()
    assert _files(tmp_path) == ["model.safetensors"]


def test_saved_files_can_be_read_by_others(tmp_path):
    store.save_model(_model(), CONFIG, tmp_path)
    earlier = os.umask(0o027)
    try:
        store.save_model(_model(), CONFIG, tmp_path / "narrow")
    finally:
        os.umask(earlier)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o666 & ~earlier
    assert (tmp_path / "narrow" / "model.safetensors").stat().st_mode & 0o777 == 0o640
