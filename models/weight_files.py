"""Look at weights on disk without loading them: are the files there, whole, and weights at all?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100 << 20  # what the safetensors library takes
_LARGEST_JSON = 64 << 20
TOKENIZERS = (
    ("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",), ("tokenizer.model",), ("vocab.txt",),
)  # fmt: skip
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def wrong_file(path: Path) -> str | None:
    """What keeps `path` from being read: missing, empty, a Git LFS pointer, or a safetensors file cut off."""
    try:
        with path.open("rb") as file:
            begin, size = file.read(64), path.stat().st_size
            if not size:
                return f"{path} is empty: get it again"
            if begin.startswith(_POINTER):
                return f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull` there"
            if path.suffix == ".safetensors":
                file.seek(0)
                return _wrong_safetensors(path, file, size)
            if path.suffix == ".json" and not isinstance(_json(path), dict | list):
                return f"{path} is no JSON: get it again"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})"
    return None


def wrong_weights(folder: Path, name: str) -> list[str]:
    """What is wrong with the weights ``<name>.safetensors`` in `folder`, in one file or in the shards of an index."""
    whole, index = folder / f"{name}.safetensors", folder / f"{name}.safetensors.index.json"
    if whole.exists():
        return found([whole])
    if index.exists():
        return found([index]) or _wrong_shards(index)
    others = sorted(path.name for path in folder.glob(f"{name}.*.safetensors"))
    variants = {other.removeprefix(f"{name}.").split(".safetensors")[0].split("-0")[0] for other in others}
    if variants:
        only = f"the variant {min(variants)} ({others[0]})"
        return [f"{folder} holds no *.safetensors but {only}: save it without variant"]
    pickles = sorted(path.name for kind in PICKLES for path in folder.glob(kind))
    also = f" ({', '.join(pickles[:3])} would run code when loaded and is not used)" if pickles else ""
    state = "holds no *.safetensors" if not any(folder.glob("*.safetensors")) else f"holds no {whole.name}"
    return [f"{folder} {state}{also}"]


def found(paths: Iterable[Path]) -> list[str]:
    """The results of `wrong_file` for each."""
    return [wrong for path in paths if (wrong := wrong_file(path))]


def any_of(folder: Path, choices: Sequence[Sequence[str]], what: str) -> list[str]:
    """What is wrong with the first group of names in `choices` that `folder` holds; without any, `what` is missing."""
    for names in choices:
        if all((folder / name).exists() for name in names):
            return found(folder / name for name in names)
    return [f"{folder} holds no {what} ({' or '.join(' with '.join(names) for names in choices)})"]


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, empty where there is none; `wrong_file` gives the reason."""
    data = _json(path)
    return data if isinstance(data, dict) else {}


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LARGEST_JSON))
    except (OSError, ValueError, RecursionError):
        return None


def _wrong_shards(index: Path) -> list[str]:
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        return [f"{index} names no shards in its weight_map: get it again"]
    names = sorted({str(name) for name in shards.values()})
    strange = [name for name in names if Path(name).name != name]
    if strange:
        return [f"{index} names a file elsewhere: {strange[0]!r}"]
    missing = [name for name in names if not (index.parent / name).exists()]
    if missing:
        return [f"{index} names {len(names)} shards, and {len(missing)} are missing, such as {missing[0]}"]
    return found(index.parent / name for name in names)


def _wrong_safetensors(path: Path, file: BinaryIO, size: int) -> str | None:
    length = file.read(8)
    header = int.from_bytes(length, "little")
    if len(length) < 8 or not 2 <= header <= _LONGEST_HEADER:
        return f"{path} is no safetensors file: get it again"
    try:
        tensors = json.loads(file.read(header)) if header <= size - 8 else None
        held = {} if tensors is None else tensors
        ends = [tensor["data_offsets"][1] for name, tensor in held.items() if name != "__metadata__"]
        whole = 8 + header + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return f"{path} is no safetensors file: get it again"
    if tensors is None or size < whole:
        return f"{path} is cut off: {size} of {max(whole, 8 + header)} bytes are there; get it again"
    return None if size == whole else f"{path} is longer than its header says ({size} of {whole} bytes): get it again"
