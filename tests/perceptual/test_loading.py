"""From a path to a network."""

import pytest
import torch
from safetensors.torch import save_file

from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.perceptual.loading import load_perceptual
from lavin_dit.perceptual.vgg import VGG16
from perceptual_weights import lite0_weights, vgg16_weights


def test_names_tell_which_network_it_is(tmp_path):
    safe, archive = tmp_path / "any.safetensors", tmp_path / "any.pth"
    save_file(lite0_weights(), safe)
    torch.save(lite0_weights(), archive)
    probe = torch.zeros(1, 3, 32, 32)
    found = [load_perceptual(path) for path in (safe, archive)]
    assert all(isinstance(network, EfficientNetLite0) for network in found)
    torch.testing.assert_close(found[0].pooled(probe), found[1].pooled(probe), rtol=0, atol=0)


def test_the_files_of_a_folder_are_taken_together(tmp_path):
    weights = vgg16_weights()
    (tmp_path / "README").write_text("no weights")
    torch.save(weights, tmp_path / "vgg16.pth")
    assert load_perceptual(tmp_path).name == "vgg16"
    heads = {
        f"lin{stage}.model.1.weight": torch.ones(1, width, 1, 1)
        for stage, width in enumerate((64, 128, 256, 512, 512))
    }
    save_file(heads, tmp_path / "lpips.safetensors")
    network = load_perceptual(tmp_path)
    assert isinstance(network, VGG16)
    assert network.name == "lpips-vgg16"


def test_what_is_not_there_says_how_to_fetch_it(tmp_path):
    for path in (tmp_path, tmp_path / "missing.safetensors"):
        with pytest.raises(FileNotFoundError, match="lavin prepare perceptual"):
            load_perceptual(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"other": torch.zeros(2)}, r"no network known here \(other, \.\.\.\)"),
        ({"epoch": 3}, "'epoch' is another thing"),
        ([torch.zeros(2)], "got list"),
        ({"code": pytest.raises}, "damaged, or holds more than weights"),
    ],
)
def test_other_archives_are_refused(tmp_path, content, complaint):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=complaint):
        load_perceptual(path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_damaged_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"damage")
    with pytest.raises(ValueError, match=name):
        load_perceptual(tmp_path)
