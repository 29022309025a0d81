"""Runs stages over shards: in this process, or on a pool of Ray actors for each stage. It depends on no stage."""
