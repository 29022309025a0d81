"""What a recipe can tell before any work: each module looks at one of its sections, and no weights are loaded."""
