"""Look after the store: status, versions, differences, provenance, verification and garbage."""
