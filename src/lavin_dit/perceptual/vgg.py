"""The convolutions of VGG16, on which LPIPS is defined."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.perceptual.network import FrozenConvolution, PerceptualNetwork

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Widths of the convolutions between two poolings."""

# In the range [-1, 1] of our pixels: twice ImageNet's mean minus 1, twice its deviation.
_MEAN = (-0.030, -0.088, -0.188)
_STD = (0.458, 0.448, 0.450)


class VGG16(PerceptualNetwork):
    """Features at full, 1/2, 1/4, 1/8 and 1/16 resolution; 512 pooled ones.

    Source:
        Simonyan and Zisserman, "Very Deep Convolutional Networks"; which layers LPIPS takes, and
        its range of pixels: Zhang et al. (see `perceptual_distance`).
    """

    name = "vgg16"

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights over.

        Args:
            tensors: Convolutions by torchvision's names (``features.0.weight``, ...); further
                tensors of that network are passed over. If LPIPS's own ``lin0.model.1.weight``,
                ... are among them, they weigh the channels, and the distance is LPIPS.

        Raises:
            ValueError: If a tensor is missing or has another shape.
        """
        super().__init__()
        self.stages = nn.ModuleList()
        place, before = 0, len(_MEAN)
        for widths in _STAGES:
            convolutions = nn.ModuleList()
            for width in widths:
                name = f"features.{place}"
                convolutions.append(
                    FrozenConvolution(
                        _take(tensors, f"{name}.weight", (width, before, 3, 3)),
                        _take(tensors, f"{name}.bias", (width,)),
                    )
                )
                place, before = place + 2, width  # an activation stands between
            self.stages.append(convolutions)
            place += 1  # the pooling
        self._take_lpips_weights(tensors)

    def features(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """See `PerceptualNetwork.features`."""
        mean, std = (pixels.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))
        hidden = (pixels - mean) / std
        found: list[Tensor] = []
        for stage in self.stages:
            if found:
                hidden = functional.max_pool2d(hidden, 2)
            assert isinstance(stage, nn.ModuleList), "a stage is a list of convolutions"
            for convolution in stage:
                hidden = functional.relu(convolution(hidden))
            found.append(hidden)
        return found

    def pooled(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `PerceptualNetwork.pooled`."""
        return self.features(pixels)[-1].mean(dim=(2, 3))

    def _take_lpips_weights(self, tensors: Mapping[str, Tensor]) -> None:
        names = [f"lin{stage}.model.1.weight" for stage in range(len(_STAGES))]
        if not any(name in tensors for name in names):
            return
        for stage, (name, widths) in enumerate(zip(names, _STAGES, strict=True)):
            weight = _take(tensors, name, (1, widths[-1], 1, 1)).flatten()
            self.register_buffer(f"lpips_{stage}", weight.detach().clone(), persistent=False)
        self.name = "lpips-vgg16"

    @property
    def channel_weights(self) -> tuple[Tensor, ...] | None:
        """LPIPS's weights of the channels, if they were given."""
        if self.name == type(self).name:
            return None
        return tuple(self.get_buffer(f"lpips_{stage}") for stage in range(len(_STAGES)))


def _take(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = tensors.get(name)
    if tensor is None:
        raise ValueError(f"the weights of VGG16 lack {name}")
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {shape}")
    return tensor.float()
