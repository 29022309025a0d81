"""An adapter of version 0.1 becomes one in PEFT's layout with the same weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.build.convert_adapter import convert, main, peft_name
from models.language.adapter import SHIPPED, WEIGHTS, find_adapter

LAYER = "model.layers.{}.self_attn.q_proj"
FACTS = {"rank": 2, "alpha": 4.0, "base": "some_package", "targets": ["q_proj"], "seed": 0}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An adapter of layers 1 and 2 as version 0.1 wrote it."""
    folder = tmp_path / "old"
    folder.mkdir()
    tensors = {f"{LAYER.format(n)}.{part}": torch.randn(2, 6).bfloat16() for n in (1, 2) for part in "AB"}
    save_file(tensors, folder / "adapter.safetensors")
    (folder / "config.json").write_text(json.dumps(FACTS))
    return folder


def test_every_tensor_is_kept_to_the_bit_under_pefts_name(old: Path, tmp_path: Path) -> None:
    convert(old, tmp_path / "new")
    before, after = load_file(old / "adapter.safetensors"), load_file(tmp_path / "new" / WEIGHTS)
    assert after.keys() == {peft_name(name) for name in before}
    assert all(torch.equal(after[peft_name(name)], tensor) for name, tensor in before.items())
    assert find_adapter(str(tmp_path / "new")).rank == 2
    config = json.loads((tmp_path / "new" / "adapter_config.json").read_text())
    assert (config["lora_alpha"], config["target_modules"], config["layers_to_transform"]) == (4.0, ["q_proj"], [1, 2])
    assert json.loads((tmp_path / "new" / "training.json").read_text()) == FACTS


def test_the_same_adapter_gives_the_same_files(old: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        convert(old, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_the_shipped_adapter_is_what_the_conversion_writes(tmp_path: Path) -> None:
    facts = json.loads((SHIPPED / "training.json").read_text())
    former = {
        name.removeprefix("base_model.model.").replace(".lora_A.weight", ".A").replace(".lora_B.weight", ".B"): tensor
        for name, tensor in load_file(SHIPPED / WEIGHTS).items()
    }
    save_file(former, tmp_path / "adapter.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(facts))
    convert(tmp_path, tmp_path / "new")
    assert (tmp_path / "new" / WEIGHTS).read_bytes() == (SHIPPED / WEIGHTS).read_bytes()


def test_what_is_no_adapter_of_version_0_1_is_refused(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"no adapter\.safetensors in"):
        convert(tmp_path, tmp_path / "new")
    with pytest.raises(ValueError, match="is no tensor of an adapter"):
        peft_name("model.embed_tokens.weight")
    (old / "config.json").unlink()
    monkeypatch.setattr(sys, "argv", ["convert_adapter", str(old), str(tmp_path / "new")])
    with pytest.raises(SystemExit):
        main()
    assert f"no config.json in {old}" in capsys.readouterr().err
