"""Gates on report text."""
