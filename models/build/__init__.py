"""Commands that make the shipped weights again."""
