"""Reading a large JSON file piece by piece, remembering where each piece lies in the file.

COCO's and Objects365's annotations are single JSON objects of up to several gigabytes, a few long
arrays inside. Parsing one at once would take ten times its size in memory.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

JsonObject = dict[str, Any]

_CHUNK_BYTES = 1 << 22
_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"
_BEHIND_A_VALUE = (*_BLANKS, ",", ":", "]", "}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An element of an array in the outermost object, or another member of that object.

    Attributes:
        key: Name of the member that it belongs to.
        value: The parsed piece.
        offset: Position of its first byte in the file.
        length: Number of its bytes.
    """

    key: str
    value: Any
    offset: int
    length: int


def stream_json(path: Path) -> Iterator[Piece]:
    """Parse a JSON object piece by piece, in the order of the file.

    Args:
        path: A JSON file whose outermost value is an object.

    Yields:
        Every element of every array that is a member of the outermost object, and every other
        member as a whole.

    Raises:
        ValueError: If the file is not such JSON; a download that broke off is the usual reason.
    """
    with path.open("rb") as file:
        reader = _Reader(file, path)
        reader.expect("{")
        while not reader.skip("}"):
            key = reader.value()[0]
            reader.expect(":")
            if not reader.skip("["):
                yield reader.piece(key)
            else:
                while not reader.skip("]"):
                    yield reader.piece(key)
                    reader.separator("]")
            reader.separator("}")


def read_pieces(path: Path, places: list[tuple[int, int]]) -> list[Any]:
    """Read pieces again whose places are known.

    Args:
        path: The file that :func:`stream_json` went through.
        places: Offset and length in bytes of each.

    Returns:
        The parsed pieces, in the order asked for.
    """
    pieces: list[Any] = []
    with path.open("rb") as file:
        for offset, length in places:
            file.seek(offset)
            pieces.append(json.loads(file.read(length)))
    return pieces


class _Reader:
    """A window that moves over the file.

    Bytes are decoded as Latin-1, so that one character is one byte; pieces that hold other than
    ASCII are parsed again as UTF-8.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._text = ""
        self._at = 0
        self._offset = 0  # of the first character in the window
        self._ended = False

    def piece(self, key: str) -> Piece:
        """Parse the next value and remember where it lies."""
        value, start, stop = self.value()
        return Piece(key=key, value=value, offset=start, length=stop - start)

    def value(self) -> tuple[Any, int, int]:
        """Parse the next value; also where it starts and stops in the file."""
        self._next_character()
        while True:
            try:
                value, stop = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._widen():
                    self._fail("a value")
                continue
            # A number at the end of the window may go on behind it, as in 1.5 and 1.5e3.
            if self._text[stop : stop + 1] in _BEHIND_A_VALUE or not self._widen():
                break
        text = self._text[self._at : stop]
        if not text.isascii():
            value = json.loads(text.encode("latin-1"))
        start = self._offset + self._at
        self._at = stop
        return value, start, self._offset + stop

    def skip(self, character: str) -> bool:
        """Whether a character comes next; it is passed over."""
        found = self._next_character() == character
        self._at += found
        return found

    def expect(self, character: str) -> None:
        """Pass over a character that must come next."""
        if not self.skip(character):
            self._fail(repr(character))

    def separator(self, closing: str) -> None:
        """Pass over a comma, unless the array or object closes."""
        if self._next_character() != closing:
            self.expect(",")

    def _next_character(self) -> str:
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._at += 1
            if not self._widen():
                return ""

    def _widen(self) -> bool:
        """Drop what was read and append a chunk, or as much again as a long piece holds so far."""
        remaining = self._text[self._at :]
        data = b"" if self._ended else self._file.read(max(_CHUNK_BYTES, len(remaining)))
        self._ended = not data
        self._offset += self._at
        self._text = remaining + data.decode("latin-1")
        self._at = 0
        return bool(data)

    def _fail(self, wanted: str) -> None:
        raise ValueError(
            f"{self._path} is not the JSON expected: wanted {wanted} at byte "
            f"{self._offset + self._at}; is the download complete?"
        )
