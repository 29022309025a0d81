"""Gates on films alone."""
