"""Which entities never stand in one report."""
