"""Gates that score reports and films and never decide."""
