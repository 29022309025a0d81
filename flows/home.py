"""The state folder and the environment that every process of a run shares."""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = Path(__file__).parent / "profiles"

_QUIET = {
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def state_folder() -> Path:
    """The folder for everything that is not the repository's: ``SYNTHCXR_HOME``, or ``.synthcxr`` here."""
    return Path(os.environ.get("SYNTHCXR_HOME", ".synthcxr")).resolve()


def prepare() -> Path:
    """Create the state folder and set the environment's defaults; a variable that is set already stays.

    Call it before prefect or mlflow is imported: both read their settings on import.
    """
    home = state_folder()
    home.mkdir(parents=True, exist_ok=True)
    os.environ["SYNTHCXR_HOME"] = str(home)
    os.environ.setdefault("PREFECT_HOME", str(home / "prefect"))
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    return home
