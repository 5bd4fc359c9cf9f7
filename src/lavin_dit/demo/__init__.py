"""What ``lavin demo`` shows: every task on packaged examples that training never saw."""
