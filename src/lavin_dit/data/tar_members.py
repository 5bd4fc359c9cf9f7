"""Members of tar files, written with the same bytes at any time and place, and read from memory.

A shard is an uncompressed tar in WebDataset's layout: the members of one sample are neighbours and
share the part of their names before the first dot.
"""

import tarfile
from collections.abc import Iterable, Mapping

_BLOCK = tarfile.BLOCKSIZE


def tar_block(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Members with their headers, as they stand in a tar file.

    Args:
        members: Name and contents of each.

    Returns:
        A whole number of tar blocks; concatenated blocks and :data:`TAR_END` make a tar file.
    """
    parts: list[bytes] = []
    for name, data in members:
        header = tarfile.TarInfo(name)
        header.size = len(data)
        header.mode = 0o644
        parts.append(header.tobuf(format=tarfile.USTAR_FORMAT))
        parts.append(data)
        parts.append(bytes(-len(data) % _BLOCK))
    return b"".join(parts)


TAR_END = bytes(2 * _BLOCK)
"""What closes a tar file."""


def members_of(block: bytes) -> Mapping[str, memoryview]:
    """The members of a sample by the part of their names after the first dot.

    Args:
        block: What :func:`tar_block` made.

    Returns:
        Their contents, uncopied.

    Raises:
        ValueError: If it is not a sequence of tar members.
    """
    members: dict[str, memoryview] = {}
    view = memoryview(block)
    start = 0
    while start < len(block):
        header = block[start : start + _BLOCK]
        if header[257:262] != b"ustar":
            raise ValueError(f"no tar header at byte {start} of {len(block)}")
        name = header[: header.index(0) if 0 in header[:100] else 100].decode()
        size = int(header[124:135], 8)
        start += _BLOCK
        if start + size > len(block):
            raise ValueError(f"tar member {name} is cut off")
        members[name.partition(".")[2]] = view[start : start + size]
        start += size + -size % _BLOCK
    return members
