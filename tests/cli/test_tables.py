"""Columns line up, words on the left and numbers on the right."""

import pytest

from lavin_dit.cli.tables import print_table

ROWS = [("name", "kind", "steps"), ("a", "picture", "7"), ("longer", "", "1,000")]


def test_words_begin_and_numbers_end_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, num_words=2)
    assert capsys.readouterr().out.splitlines() == [
        "name    kind     steps",
        "a       picture      7",
        "longer           1,000",
    ]


def test_no_line_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([row[:2] for row in ROWS])
    assert capsys.readouterr().out.splitlines() == ["name    kind", "a       picture", "longer"]
