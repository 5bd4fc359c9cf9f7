"""What each TensorFlow operation computes, in torch, for networks in TensorFlow.js' format.

Only the operations that MoveNet MultiPose and NanoDet consist of. Pictures are ``n h w c``
throughout, as TensorFlow has them; torch's order is taken on inside an operation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias, cast

import torch
from torch import Tensor
from torch.nn import functional

Attributes: TypeAlias = Mapping[str, object]
"""Attributes of a node: numbers, words, or tuples of them."""
Operation: TypeAlias = Callable[[Sequence[Tensor], Attributes], Tensor | Sequence[Tensor]]
"""From the inputs of a node, and its attributes, to its output or outputs."""

_INTEGERS = torch.int32  # of shapes, sizes and places
_TYPES = {"DT_FLOAT": torch.float32, "DT_INT32": torch.int32, "DT_INT64": torch.int64}
_ACTIVATIONS = {"Relu": functional.relu, "Relu6": functional.relu6}


def _of_values(function: Callable[..., Tensor]) -> Operation:
    """An operation that has no attributes that matter."""
    return lambda inputs, _: function(*inputs)


def _numbers(tensor: Tensor) -> list[int]:
    """The whole numbers that a tensor holds."""
    return [int(number) for number in tensor.reshape(-1).tolist()]


def _sides(attributes: Attributes, name: str) -> tuple[int, int]:
    """The two middle ones of four numbers, which are of height and width."""
    _, height, width, _ = cast("tuple[int, int, int, int]", attributes[name])
    return height, width


def _padded(
    picture: Tensor, *, extent: Sequence[int], strides: Sequence[int], kind: object, value: float
) -> Tensor:
    """An ``n c h w`` picture with the margins that TensorFlow's SAME means.

    There are as many outputs as strides fit into the picture; the odd pixel is at the end.
    """
    if kind == "VALID":
        return picture
    if kind != "SAME":
        raise ValueError(f"padding {kind} is not known; SAME and VALID are")
    missing = [
        max((math.ceil(side / stride) - 1) * stride + long - side, 0)
        for side, stride, long in zip(picture.shape[2:], strides, extent, strict=True)
    ]
    top, left = (number // 2 for number in missing)
    return functional.pad(picture, (left, missing[1] - left, top, missing[0] - top), value=value)


def _convolution(inputs: Sequence[Tensor], attributes: Attributes, *, depthwise: bool) -> Tensor:
    """A convolution, and what is fused with it: a bias, and an activation."""
    picture = inputs[0].permute(0, 3, 1, 2)
    height, width, num_in, _ = inputs[1].shape
    weight = inputs[1].permute(3, 2, 0, 1)
    if depthwise:
        weight = inputs[1].permute(2, 3, 0, 1).reshape(-1, 1, height, width)
    strides, dilations = _sides(attributes, "strides"), _sides(attributes, "dilations")
    extent = [(side - 1) * step + 1 for side, step in zip((height, width), dilations, strict=True)]
    padding = attributes["padding"]
    output = functional.conv2d(
        _padded(picture, extent=extent, strides=strides, kind=padding, value=0.0),
        weight,
        stride=strides,
        dilation=dilations,
        groups=num_in if depthwise else picture.shape[1] // num_in,
    ).permute(0, 2, 3, 1)
    for fused in cast("tuple[str, ...]", attributes.get("fused_ops", ())):
        output = output + inputs[2] if fused == "BiasAdd" else _ACTIVATIONS[fused](output)
    return output


def _max_pool(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    extent, strides = _sides(attributes, "ksize"), _sides(attributes, "strides")
    padded = _padded(
        inputs[0].permute(0, 3, 1, 2),
        extent=extent,
        strides=strides,
        kind=attributes["padding"],
        value=-math.inf,
    )
    return functional.max_pool2d(padded, extent, stride=strides).permute(0, 2, 3, 1)


def _resize(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    if not attributes["half_pixel_centers"] or attributes["align_corners"]:
        raise ValueError(f"pixels are resized by their centres, got {dict(attributes)}")
    return functional.interpolate(
        inputs[0].permute(0, 3, 1, 2),
        size=_numbers(inputs[1]),
        mode="bilinear",
        align_corners=False,
    ).permute(0, 2, 3, 1)


def _pad(inputs: Sequence[Tensor], _: Attributes) -> Tensor:
    # torch names the last axis first.
    margins = [number for axis in reversed(inputs[1].tolist()) for number in axis]
    return functional.pad(inputs[0], margins, value=float(inputs[2]) if inputs[2:] else 0.0)


def _strided_slice(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Slicing as in NumPy: bit n of each mask is about entry n of the index."""
    if attributes["ellipsis_mask"]:
        raise ValueError("an ellipsis in an index is not known here")

    def marked(name: str, place: int) -> bool:
        return bool(cast("int", attributes[name]) >> place & 1)

    index: list[int | slice | None] = []
    for place, (begin, end, step) in enumerate(zip(*map(_numbers, inputs[1:]), strict=True)):
        if marked("new_axis_mask", place):
            index.append(None)
        elif marked("shrink_axis_mask", place):
            index.append(begin)
        else:
            start = None if marked("begin_mask", place) else begin
            index.append(slice(start, None if marked("end_mask", place) else end, step))
    return inputs[0][tuple(index)]


def _select(inputs: Sequence[Tensor], _: Attributes) -> Tensor:
    """A condition of fewer axes is one about rows."""
    condition, yes, no = inputs
    return torch.where(condition[(...,) + (None,) * (yes.ndim - condition.ndim)], yes, no)


def _sparse_to_dense(inputs: Sequence[Tensor], _: Attributes) -> Tensor:
    places, shape, values, default = inputs
    dense = torch.full(_numbers(shape), default.item(), dtype=values.dtype)
    dense[tuple(places.reshape(-1, dense.ndim).long().unbind(-1))] = values
    return dense


def _squeeze(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    axes = cast("tuple[int, ...]", attributes.get("squeeze_dims", ()))
    return inputs[0].squeeze(axes) if axes else inputs[0].squeeze()


def _top_k(inputs: Sequence[Tensor], _: Attributes) -> Sequence[Tensor]:
    values, places = torch.topk(inputs[0], int(inputs[1]))
    return values, places.to(_INTEGERS)


def _reduction(function: Callable[..., Tensor]) -> Operation:
    return lambda inputs, attributes: function(
        inputs[0], dim=tuple(_numbers(inputs[1])), keepdim=bool(attributes["keep_dims"])
    )


def _axis(attributes: Attributes) -> int:
    return cast("int", attributes["axis"])


OPERATIONS: Mapping[str, Operation] = {
    "Abs": _of_values(torch.abs),
    "Add": _of_values(torch.add),
    "AddN": lambda inputs, _: reduce(torch.add, inputs),
    "AddV2": _of_values(torch.add),
    "ArgMax": lambda inputs, _: inputs[0].argmax(int(inputs[1])).to(_INTEGERS),
    "Cast": lambda inputs, attributes: inputs[0].to(_TYPES[str(attributes["DstT"])]),
    "ConcatV2": lambda inputs, _: torch.cat(list(inputs[:-1]), int(inputs[-1])),
    "Conv2D": lambda inputs, attributes: _convolution(inputs, attributes, depthwise=False),
    "DepthwiseConv2dNative": lambda inputs, attributes: _convolution(
        inputs, attributes, depthwise=True
    ),
    "Equal": _of_values(torch.eq),
    "Exp": _of_values(torch.exp),
    "ExpandDims": lambda inputs, _: inputs[0].unsqueeze(int(inputs[1])),
    "Fill": lambda inputs, _: inputs[1].expand(_numbers(inputs[0])),
    "FloorDiv": _of_values(torch.floor_divide),
    "FusedDepthwiseConv2dNative": lambda inputs, attributes: _convolution(
        inputs, attributes, depthwise=True
    ),
    "GatherNd": lambda inputs, _: inputs[0][tuple(inputs[1].long().unbind(-1))],
    "Greater": _of_values(torch.gt),
    "GreaterEqual": _of_values(torch.ge),
    "Identity": lambda inputs, _: inputs[0],
    "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(
        inputs[0], cast("float", attributes["alpha"])
    ),
    "Less": _of_values(torch.lt),
    "LogicalAnd": _of_values(torch.logical_and),
    "Max": _reduction(torch.amax),
    "MaxPool": _max_pool,
    "Maximum": _of_values(torch.maximum),
    "Minimum": _of_values(torch.minimum),
    "Mul": _of_values(torch.mul),
    "Pack": lambda inputs, attributes: torch.stack(list(inputs), _axis(attributes)),
    "Pad": _pad,
    "PadV2": _pad,
    "Range": lambda inputs, _: torch.arange(
        *(number.item() for number in inputs), dtype=inputs[0].dtype
    ),
    "RealDiv": _of_values(torch.div),
    "Reciprocal": _of_values(torch.reciprocal),
    "Reshape": lambda inputs, _: inputs[0].reshape(_numbers(inputs[1])),
    "ResizeBilinear": _resize,
    "Select": _select,
    "Shape": lambda inputs, _: torch.tensor(inputs[0].shape, dtype=_INTEGERS),
    "Sigmoid": _of_values(torch.sigmoid),
    "Size": lambda inputs, _: torch.tensor(inputs[0].numel(), dtype=_INTEGERS),
    "SparseToDense": _sparse_to_dense,
    "Split": lambda inputs, attributes: torch.chunk(
        inputs[1], cast("int", attributes["num_split"]), int(inputs[0])
    ),
    "SplitV": lambda inputs, _: torch.split(inputs[0], _numbers(inputs[1]), int(inputs[2])),
    "SquaredDifference": lambda inputs, _: (inputs[0] - inputs[1]) ** 2,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Sub": _of_values(torch.sub),
    "Sum": _reduction(torch.sum),
    "Tile": lambda inputs, _: inputs[0].repeat(_numbers(inputs[1])),
    "TopKV2": _top_k,
    "Transpose": lambda inputs, _: inputs[0].permute(_numbers(inputs[1])),
    "Unpack": lambda inputs, attributes: inputs[0].unbind(_axis(attributes)),
    "_FusedConv2D": lambda inputs, attributes: _convolution(inputs, attributes, depthwise=False),
}
"""What is known, by TensorFlow's names."""
