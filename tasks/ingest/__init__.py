"""Ingest: an archive, the phantom or a published version becomes a dataset version; patients are kept apart."""
