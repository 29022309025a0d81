"""What to make: entities from a bank, balanced and plausible, one spec per sample, in shards."""
