"""Make the samples of a shard: reports, then films, each retried only where a gate rejects it."""
