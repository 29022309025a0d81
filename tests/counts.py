"""How much of the counted tests runs: `SYNTHCXR_TESTS=full` (``make test-full``) runs all of it."""

from __future__ import annotations

import os

FULL = os.environ.get("SYNTHCXR_TESTS") == "full"


def scaled(usual: int) -> int:
    """How many examples a property test tries that is too slow for the profile's count: four times `usual` at full."""
    return usual * 4 if FULL else usual
