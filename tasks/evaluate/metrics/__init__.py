"""Metrics as pure functions of scores and labels: exact, with ties, and on many resamples at once."""
