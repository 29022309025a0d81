"""What can go wrong with MLflow before a run begins; what goes wrong later is reported, and the run goes on."""

from __future__ import annotations

from storage.errors import StoreError


class TrackingError(StoreError):
    """MLflow cannot be opened; the message names the address and the remedy, in one line."""
