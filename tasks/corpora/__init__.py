"""Corpora from outside: archives of films, files of reports, and how each is read."""
