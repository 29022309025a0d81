"""Bytes and truth: objects, shards, records, manifests and versions."""
