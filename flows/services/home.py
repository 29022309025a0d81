"""The state folder and the environment that every process of a run shares."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from storage.errors import ServiceError

PROFILES = Path(__file__).parents[1] / "profiles"
REPOSITORY = Path(__file__).parents[2]
"""The checkout; where a wheel is installed, the folder of its packages."""
DEPLOYMENTS = Path(__file__).parents[1] / "prefect.yaml"
"""Every deployment, as ``prefect deploy`` reads them; the checkout has a link to it at its top."""
WRITTEN = "# Written by `synth serve`, removed by `synth stop`.\n"
"""How a ``prefect.toml`` begins that is ours."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LEAST = 64 << 20  # bytes that databases and logs of a first run need

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


def in_checkout() -> bool:
    """Whether this code runs from a checkout, which may be written to, and not from an installed wheel."""
    return (REPOSITORY / "pyproject.toml").is_file()


def workspace(home: Path) -> Path:
    """Where Prefect's workers stand and its ``prefect.toml`` lies: the checkout, or else the state folder `home`."""
    return REPOSITORY if in_checkout() else home


def prepare(*, room: bool = True) -> Path:
    """Create the state folder and set the environment's defaults; a variable that is set already stays.

    Call it before prefect or mlflow is imported: both read their settings on import.

    Args:
        room: whether there must be room for what a run writes; a full disk is no reason not to read, free or stop.

    Raises:
        ServiceError: the state folder cannot be made or written, or its disk is full.
    """
    home = state_folder()
    _check(home, room)
    os.environ["SYNTHCXR_HOME"] = str(home)
    os.environ.setdefault("PREFECT_HOME", str(home / "prefect"))
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    _bypass_proxies()
    return home


def _bypass_proxies() -> None:
    """Servers on this machine are asked directly: no proxy reaches them."""
    names = {name.lower(): value for name, value in os.environ.items() if value}
    if not names.keys() & {"http_proxy", "https_proxy", "all_proxy"}:
        return
    given = [part for name in ("no_proxy", "NO_PROXY") for part in os.environ.get(name, "").split(",")]
    hosts = dict.fromkeys(part.strip() for part in (*given, *_LOOPBACK) if part.strip())
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(hosts)


def _check(home: Path, room: bool) -> None:
    """Checked early, since servers that cannot write fail late and at length."""
    problem = ""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        for folder in (home, *(home / name for name in ("logs", "prefect", "prefect-run", "sessions", "store"))):
            if folder == home or folder.exists():
                if folder != home and folder.stat().st_uid == os.geteuid():
                    folder.chmod(0o700)
                with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
                    probe.write(b"0" * 4096 * room)
        free = shutil.disk_usage(home).free
        if room and free < _LEAST:
            problem = f"{free >> 20} MB are free on its disk, and a run needs {_LEAST >> 20} MB there"
    except (OSError, ValueError) as error:
        place = getattr(error, "filename", None) or home
        problem = f"{getattr(error, 'strerror', None) or error} ({place})"
    if problem:
        raise ServiceError(f"state folder {home}: {problem}; set SYNTHCXR_HOME to a folder that can be written")
