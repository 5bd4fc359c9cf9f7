"""``lavin web``: what is refused before anything is served; what is, `tests/web` serves."""

import sys

import pytest

from lavin_dit.cli.main import main


def run(*words: object) -> int:
    return main(["web", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", -1], "port must lie in 0 to 65535, got -1"),
        (["--port", 65536], "port must lie in 0 to 65535, got 65536"),
        (["--max-megapixels", 0], "max_megapixels must be above 0, got 0"),
        (["--model", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_served_is_told(words, message, capsys):
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_without_gradio_it_is_told_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "lavin_dit.web.page", raising=False)
    assert run() == 2
    assert "pip install 'lavin-dit[web]'" in capsys.readouterr().err
