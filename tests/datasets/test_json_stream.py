import json

import pytest

from lavin_dit.datasets import json_stream
from lavin_dit.datasets.json_stream import read_pieces, stream_json

CONTENT = {
    "info": {"year": 2017, "text": "déjà"},
    "images": [{"id": 7, "file_name": "größe.jpg"}, {"id": 8, "file_name": 'a"]}\\.jpg'}],
    "none": [],
    "numbers": [1, 22, 333, -4.5e3, True, None],
    "annotations": [{"id": number, "text": "x" * number} for number in range(60)],
}


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 22])
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_pieces_and_places_for_any_size_of_window(tmp_path, monkeypatch, chunk, indent, ascii_only):
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", chunk)
    path = tmp_path / "x.json"
    text = json.dumps(CONTENT, indent=indent, ensure_ascii=ascii_only)
    path.write_text(text, encoding="utf-8")
    pieces = list(stream_json(path))
    for key in ("images", "none", "numbers", "annotations"):
        assert [piece.value for piece in pieces if piece.key == key] == CONTENT[key]
    assert [piece.value for piece in pieces if piece.key == "info"] == [CONTENT["info"]]
    places = [(piece.offset, piece.length) for piece in pieces]
    assert read_pieces(path, places) == [piece.value for piece in pieces]
    shuffled = places[::-1]
    assert read_pieces(path, shuffled) == [piece.value for piece in pieces][::-1]


@pytest.mark.parametrize(
    "text", ['{"images": [{"id": 1}, {"id"', '{"images": [1 2]}', "[1]", "", '{"a" 1}', '{"a": 1']
)
def test_broken_files_are_refused_with_the_place(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"broken.json is not the JSON expected.*at byte \d+"):
        list(stream_json(path))
