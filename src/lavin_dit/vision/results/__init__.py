"""What a task's picture means, as records that can be saved and drawn; one kind per file."""
