"""Findings in words: concepts, sections, negation and recognisers."""
