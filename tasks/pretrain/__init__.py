"""Pretrain: from datasets to one checkpoint per arm."""
