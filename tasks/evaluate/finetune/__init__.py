"""Evaluation tasks that train on labelled films: what a checkpoint is worth as a start."""
