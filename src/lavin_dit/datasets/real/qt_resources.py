"""Reading Qt's compiled resource files (``.rcc``), in which GCompris ships its pictures."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"qres"
_COMPRESSED, _FOLDER, _ZSTD = 1, 2, 4


class ResourceError(ValueError):
    """A resource file is broken, or written in a way that is not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the three tables of a file begin, and how long an entry of the tree is."""

    tree: int
    data: int
    names: int
    node_bytes: int


def read_resources(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Read the files in a resource file, of format 1 to 3.

    Args:
        content: The whole resource file.

    Yields:
        Path and content of each file, in the order of the tree.

    Raises:
        ResourceError: If the file is cut off or of an unknown kind.
    """
    if content[:4] != _MAGIC:
        raise ResourceError("not a Qt resource file: it does not begin with 'qres'")
    try:
        version, tree, data, names = struct.unpack_from(">4I", content, 4)
        if not 1 <= version <= 3:
            raise ResourceError(f"Qt resource format {version} is not known; 1 to 3 are")
        layout = _Layout(tree=tree, data=data, names=names, node_bytes=14 if version < 2 else 22)
        # A tree without loops has no more entries than the file has room for.
        budget = [len(content) // layout.node_bytes]
        yield from _walk(content, layout, index=0, folder="", budget=budget)
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ResourceError(f"the Qt resource file is broken: {error}") from error


def _walk(
    content: bytes, layout: _Layout, *, index: int, folder: str, budget: list[int]
) -> Iterator[tuple[str, bytes]]:
    """The files at and below one entry of the tree."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ResourceError("the Qt resource file is broken: its tree has a loop")
    at = layout.tree + index * layout.node_bytes
    name_offset, flags = struct.unpack_from(">IH", content, at)
    path = f"{folder}/{_name(content, layout.names + name_offset)}" if index else ""
    if flags & _FOLDER:
        count, first = struct.unpack_from(">2I", content, at + 6)
        for child in range(first, first + count):
            yield from _walk(content, layout, index=child, folder=path, budget=budget)
        return
    # Two fields of the locale stand before the offset.
    (offset,) = struct.unpack_from(">I", content, at + 10)
    yield path.lstrip("/"), _payload(content, layout.data + offset, flags)


def _name(content: bytes, at: int) -> str:
    """A file or folder name; its hash, which stands before it, is not needed."""
    (length,) = struct.unpack_from(">H", content, at)
    (name,) = struct.unpack_from(f">{2 * length}s", content, at + 6)
    return name.decode("utf-16-be")


def _payload(content: bytes, at: int, flags: int) -> bytes:
    """The content of one file."""
    (length,) = struct.unpack_from(">I", content, at)
    (payload,) = struct.unpack_from(f">{length}s", content, at + 4)
    if flags & _ZSTD:
        raise ResourceError("the Qt resource file is packed with zstd, which is not read here")
    # Qt writes the unpacked length before the zlib stream.
    return zlib.decompress(payload[4:]) if flags & _COMPRESSED else payload
