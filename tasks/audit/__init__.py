"""Audits of reports and archives: entity banks, duplicates, pairs and film checks."""
