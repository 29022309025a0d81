"""Runs the shard worker over many shards: in this process, or on a pool of Ray actors."""
