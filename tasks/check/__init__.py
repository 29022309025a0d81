"""Checks of a recipe before any work: each module checks one of its sections, and no weights are loaded."""
