import struct

import numpy as np
import pytest

from lavin_dit.datasets.tf_example import parse_example, unpack_varints
from lavin_dit.datasets.tfrecord import crc32c, read_record, record_offsets


def slow_crc32c(data):
    """Bit by bit, as the polynomial is defined."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the check value of CRC-32C
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_that_are_published(data, checksum):
    assert crc32c(data) == checksum


@pytest.mark.parametrize("length", [1, 2, 3, 511, 512, 1023, 1024, 1025, 1537, 4999])
def test_checksum_of_any_length(length):
    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == slow_crc32c(data)


def test_record_written_by_hand(tmp_path):
    """Masking is a rotation by 15 bits and an offset: known bytes of a record ``abc``."""
    path = tmp_path / "x.tfrecord"
    checksums = []
    for data in (struct.pack("<Q", 3), b"abc"):
        plain = slow_crc32c(data)
        rotated = (plain >> 15 | plain << 17) & 0xFFFFFFFF
        checksums.append(struct.pack("<I", (rotated + 0xA282EAD8) % 2**32))
    path.write_bytes(struct.pack("<Q", 3) + checksums[0] + b"abc" + checksums[1])
    assert record_offsets(path) == [0]
    assert read_record(path, 0) == b"abc"


def test_records_of_any_length(tmp_path, write_tfrecord):
    path = tmp_path / "x.tfrecord"
    records = [b"first", b"", bytes(2000)]
    write_tfrecord(path, records)
    offsets = record_offsets(path)
    assert offsets == [0, 21, 37]
    assert [read_record(path, offset) for offset in offsets] == records


@pytest.mark.parametrize("place", [12, 500, 1011, 1012, 1015])
def test_every_changed_byte_is_noticed(tmp_path, place, write_tfrecord):
    path = tmp_path / "x.tfrecord"
    write_tfrecord(path, [bytes(1000)])
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="record at byte 0 is corrupt"):
        read_record(path, 0)


def test_broken_headers_and_ends_are_noticed(tmp_path, write_tfrecord):
    path = tmp_path / "x.tfrecord"
    write_tfrecord(path, [b"first", b"second"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="ends inside a record"):
        record_offsets(path)
    with pytest.raises(ValueError, match="record at byte 21 is corrupt"):
        read_record(path, 21)
    path.write_bytes(whole[:25])
    with pytest.raises(ValueError, match="no record at byte 21"):
        record_offsets(path)
    path.write_bytes(b"\x06" + whole[1:])
    with pytest.raises(ValueError, match="no record at byte 0"):
        read_record(path, 0)


NUMBERS = np.array([0, 1, 127, 128, 300, 16383, 16384, 65535, 2**40, 2**62, -1, -(2**63)])


def test_features_of_all_three_types(protobuf):
    data = protobuf.example(
        {
            "video": [b"one", b"", b"x" * 300],
            "unused": np.arange(5),
            "numbers": NUMBERS,
            "range": np.array([-1.5, 2.25e10]),
            "empty": [],
        }
    )
    found = parse_example(data, wanted={"video", "numbers", "range", "empty", "absent"})
    assert found["video"] == [b"one", b"", b"x" * 300]
    np.testing.assert_array_equal(found["numbers"], NUMBERS)
    np.testing.assert_array_equal(found["range"], np.array([-1.5, 2.25e10], dtype=np.float32))
    assert found["empty"] == []
    assert set(found) == {"video", "numbers", "range", "empty"}


def test_unpacked_numbers_are_read_too(protobuf):
    """Protobuf allows every number of a list to have its own tag."""
    varint, field = protobuf.varint, protobuf.field
    integers = b"".join(b"\x08" + varint(value) for value in (5, 300))
    floats = b"".join(b"\x0d" + struct.pack("<f", value) for value in (0.5, 7.0))
    entries = [
        field(1, field(1, b"i") + field(2, field(3, integers))),
        field(1, field(1, b"f") + field(2, field(2, floats))),
    ]
    found = parse_example(field(1, b"".join(entries)), wanted={"i", "f"})
    assert found["i"].tolist() == [5, 300]
    assert found["f"].tolist() == [0.5, 7.0]


def test_fields_that_are_not_known_are_passed_over(protobuf):
    varint, field, example = protobuf.varint, protobuf.field, protobuf.example
    unknown = varint(9 << 3) + varint(77) + varint(10 << 3 | 1) + bytes(8) + field(11, b"abc")
    found = parse_example(unknown + example({"a": [b"x"]}) + unknown, wanted={"a"})
    assert found == {"a": [b"x"]}


def test_nothing_gives_nothing():
    assert parse_example(b"", wanted={"a"}) == {}
    assert unpack_varints(b"").size == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\x05abc", "ends inside a field"),
        (b"\x0a", "integer that does not end"),
        (b"\xff" * 11, "integer that does not end"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_nonsense_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        parse_example(data, wanted={"a"})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (2, b"abc", "floats of 3 bytes"),
        (3, b"\x80", "whose last does not end"),
        (3, b"\x80" * 10 + b"\0", "more than ten bytes"),
    ],
)
def test_lists_of_nonsense_are_refused(protobuf, kind, values, message):
    field = protobuf.field
    entry = field(1, b"a") + field(2, field(kind, field(1, values)))
    with pytest.raises(ValueError, match=message):
        parse_example(field(1, field(1, entry)), wanted={"a"})
