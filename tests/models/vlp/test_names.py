"""A model's name is judged by its configuration, without open_clip."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.vlp.names import OURS, lacks_features, wrong_model


@pytest.mark.parametrize("name", [OURS, "RN50", "ViT-B-32", "coca_ViT-B-32"])
def test_a_model_with_our_vocabulary_or_clips_can_be_pretrained(name: str) -> None:
    assert wrong_model(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("synthcxr-tny", "did you mean 'synthcxr-tiny'?"),
        ("hf-hub:owner/name", "is no model of open_clip's list"),
        ("", "knows no model ''"),
        ("local-dir:/nowhere", "cannot be read"),
    ],
)
def test_another_is_refused_with_the_reason(name: str, told: str) -> None:
    assert told in (wrong_model(name) or "")


def test_a_folder_with_our_vocabulary_will_do(tmp_path: Path) -> None:
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": {"text_cfg": {"vocab_size": 1024}}}))
    assert wrong_model(f"local-dir:{tmp_path}") is None
    path.write_text("[]")
    assert "cannot be read" in (wrong_model(f"local-dir:{tmp_path}") or "")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"text_cfg": {"vocab_size": 500}}, "has a vocabulary of 500 and no hf_tokenizer_name"),
        ({"text_cfg": {}, "vision_cfg": {"image_size": [256, 128]}}, "reads images of [256, 128] pixels"),
    ],
)
def test_what_the_configuration_lacks_is_told(tmp_path: Path, config: dict[str, Any], told: str) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    assert told in (wrong_model(f"local-dir:{tmp_path}") or "")


def test_a_tokenizer_of_the_hub_must_be_here_where_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong_model("ViT-B-16-SigLIP") is None
    monkeypatch.setattr("models.vlp.names.offline", lambda: True)
    monkeypatch.setattr("models.vlp.names.cached", lambda _: None)
    told = wrong_model("ViT-B-16-SigLIP") or ""
    assert "needs the tokenizer of timm/ViT-B-16-SigLIP, which is not on this machine: run `hf download" in told
    monkeypatch.setattr("models.vlp.names.cached", Path)
    assert wrong_model("ViT-B-16-SigLIP") is None


def test_objectives_with_layers_of_their_own_need_a_timm_tower_and_a_custom_text_tower(tmp_path: Path) -> None:
    assert lacks_features(OURS) is None
    assert "did you mean 'synthcxr-tiny'?" in (lacks_features("synthcxr-tny") or "")
    path = tmp_path / "open_clip_config.json"
    config = {"text_cfg": {"vocab_size": 1024}, "vision_cfg": {"layers": 2}, "custom_text": True}
    path.write_text(json.dumps({"model_cfg": config}))
    assert "no timm image tower" in (lacks_features(f"local-dir:{tmp_path}") or "")
    path.write_text(json.dumps({"model_cfg": config | {"vision_cfg": {"timm_model_name": "resnet50"}}}))
    assert lacks_features(f"local-dir:{tmp_path}") is None


def test_the_look_loads_no_library() -> None:
    look = "from models.vlp.names import wrong_model; wrong_model('RN50')"
    code = f"import sys; {look}; print({{'torch', 'open_clip'}} & {{*sys.modules}})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
