"""Write and verify the reports of a shard."""
