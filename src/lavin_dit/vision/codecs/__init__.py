"""One annotation kind per file: its record, how it moves, how it is painted and read back."""
