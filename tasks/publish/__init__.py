"""Publish: from committed shards to an immutable dataset version with its card and report."""
