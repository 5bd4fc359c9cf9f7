"""Tables on the terminal."""

from collections.abc import Sequence


def print_table(rows: Sequence[Sequence[str]], *, num_words: int | None = None) -> None:
    """Print rows of cells in columns that are as wide as they need to be.

    Args:
        rows: Equally many cells each; the first row may be headings.
        num_words: Columns, from the left, that hold words and begin on the left; those after them
            hold numbers and end on the right. All hold words if None.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first_number = len(widths) if num_words is None else num_words
    for row in rows:
        cells = [
            cell.ljust(width) if column < first_number else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
