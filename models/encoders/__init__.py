"""Encoders of images, texts and pairs, and recognisers of entities in text."""
