"""Curate: decide which pairs of a dataset are used, without moving a pixel."""
