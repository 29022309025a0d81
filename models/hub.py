"""What of the model hub is on this machine already; nothing is downloaded here."""

from __future__ import annotations

from pathlib import Path


def cached(model: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model in the local cache, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None


def offline() -> bool:
    """Whether downloads are switched off (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def names_hub(model: str) -> bool:
    """Whether a model's name is a hub id such as ``owner/name``, and not a folder."""
    return model.count("/") == 1 and not model.startswith((".", "/", "~")) and not Path(model).is_dir()
