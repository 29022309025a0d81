"""Judges: gates that score reports and films and never decide."""
