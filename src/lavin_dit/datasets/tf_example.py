"""Parsing ``tf.train.Example`` messages without TensorFlow or protobuf.

The message is a map from names to lists of byte strings, of floats or of integers. In protobuf's
wire format a field is a tag (number and wire type) and a value; a message inside another is a
value of known length. Integers are *varints*: 7 bits a byte, the lowest first.
"""

from collections.abc import Collection, Iterator

import numpy as np
from jaxtyping import Float32, Int64

Feature = list[bytes] | Float32[np.ndarray, " n"] | Int64[np.ndarray, " n"]

_LENGTH = 2  # wire type of values of known length
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


def parse_example(data: bytes, *, wanted: Collection[str]) -> dict[str, Feature]:
    """Parse the features of an example.

    Args:
        data: A serialized ``tf.train.Example``.
        wanted: Names of the features to parse; the others are passed over.

    Returns:
        Values of each feature that is there, flat: byte strings, float32, or int64.

    Raises:
        ValueError: If the bytes are not such a message.
    """
    found: dict[str, Feature] = {}
    for features in _messages(memoryview(data), number=1):
        for entry in _messages(features, number=1):
            name = b"".join(map(bytes, _messages(entry, number=1))).decode()
            if name in wanted:
                found[name] = _feature(b"".join(_messages(entry, number=2)))
    return found


def _feature(data: bytes) -> Feature:
    """Values of one feature."""
    for number, _, value in _fields(memoryview(data)):
        if number == _BYTES_LIST:
            return [bytes(text) for text in _messages(value, number=1)]
        parts = [part for field, _, part in _fields(value) if field == 1]
        joined = b"".join(parts)
        if number == _FLOAT_LIST:
            if len(joined) % 4:
                raise ValueError(f"a list of floats of {len(joined)} bytes")
            return np.frombuffer(joined, dtype="<f4").astype(np.float32)
        if number == _INT64_LIST:
            return unpack_varints(joined)
    return []


def _messages(data: memoryview, *, number: int) -> Iterator[memoryview]:
    """Values of known length of one field."""
    for found, wire_type, value in _fields(data):
        if found == number and wire_type == _LENGTH:
            yield value


def _fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, wire type and bytes of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire_type = tag & 7
        stop = at
        match wire_type:
            case 0:  # varint
                _, stop = _varint(data, at)
            case 1:  # 64 bits
                stop = at + 8
            case 2:  # as many bytes as said
                length, at = _varint(data, at)
                stop = at + length
            case 5:  # 32 bits
                stop = at + 4
            case _:
                raise ValueError(f"wire type {wire_type} in a protobuf message")
        if stop > len(data):
            raise ValueError("a protobuf message that ends inside a field")
        yield tag >> 3, wire_type, data[at:stop]
        at = stop


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """An integer, and where it stops."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a protobuf message with an integer that does not end")


def unpack_varints(data: bytes) -> Int64[np.ndarray, " n"]:
    """Decode integers written one behind the other.

    Args:
        data: Varints; negative numbers take ten bytes.

    Returns:
        The integers.

    Raises:
        ValueError: If the last does not end, or one is longer than ten bytes.
    """
    octets = np.frombuffer(data, dtype=np.uint8)
    stops = np.flatnonzero(octets < 0x80)
    if len(octets) and (not len(stops) or stops[-1] != len(octets) - 1):
        raise ValueError("a list of integers whose last does not end")
    starts = np.concatenate([[0], stops[:-1] + 1]) if len(stops) else stops
    lengths = stops - starts + 1
    if lengths.max(initial=0) > 10:
        raise ValueError("an integer of more than ten bytes")
    values = np.zeros(len(stops), dtype=np.uint64)
    for place in range(int(lengths.max(initial=0))):
        longer = lengths > place
        bits = (octets[starts[longer] + place] & np.uint8(0x7F)).astype(np.uint64)
        values[longer] |= bits << np.uint64(7 * place)
    return values.view(np.int64)
