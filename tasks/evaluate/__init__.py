"""Evaluate: from checkpoints to one table of zero-shot scores."""
