"""The bad bank and the encoders behind it, ours and a transformers one."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from models import registry
from models.build.planted_defects import plant
from models.compat import torchvision_ready
from models.contracts import Candidate, Encoder, ModelNotFound
from models.encoders.image import FilmEncoder, TransformersEncoder, open_encoder
from models.gates.calibration import score_films
from models.gates.film import bad_bank
from models.gates.film.bad_bank import BadBank, NotInBadBank, load_bank, make_bank, save_bank
from models.phantom.case import Case
from models.phantom.film import draw_film


@pytest.fixture(scope="module")
def good() -> list[np.ndarray]:
    return [draw_film(Case("a", 616, index, ()), 128)[0] for index in range(40)]


def spoil(films: list[np.ndarray], kind: str, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [plant(film, kind, "strong", rng) for film in films]


@pytest.fixture(scope="module")
def tiny_dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DINOv2 of RAD-DINO's class with random weights, saved as it would be published."""
    torchvision_ready()
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    Dinov2Model(
        Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14)
    ).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}).save_pretrained(folder)
    return folder


@pytest.fixture(params=["film", "transformers"])
def encoder(request: pytest.FixtureRequest, tiny_dino: Path) -> Encoder:
    return FilmEncoder() if request.param == "film" else TransformersEncoder(str(tiny_dino), batch=3)


def test_embeddings_are_of_unit_length_whatever_the_film_and_the_batch(encoder: Encoder, good) -> None:
    ugly = [np.full((50, 70), np.nan, np.float32), np.zeros((128, 128), np.uint8)]
    rows = encoder.embed([*good[:4], *ugly])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-4)
    assert encoder.embed(good[2:3])[0] == pytest.approx(rows[2], abs=1e-4)
    assert encoder.embed([]).shape == (0, rows.shape[1])
    assert "@" in encoder.revision
    assert isinstance(encoder, Encoder)


def test_a_bank_finds_films_like_its_own_and_lets_good_ones_pass(encoder: Encoder, good, tmp_path: Path) -> None:
    path = tmp_path / "bank.safetensors"
    save_bank(make_bank(encoder, spoil(good[:8], "inverted", 1), good, false_rejects=0.05), path)
    spec = "film" if isinstance(encoder, FilmEncoder) else encoder.model  # pyright: ignore
    gate = registry.build(registry.GATES, "bad_bank", {"bank": path, "encoder": spec})
    fresh = [draw_film(Case("a", 617, index, ()), 128)[0] for index in range(12)]
    assert (score_films(gate, spoil(fresh, "inverted", 2)) < 0.5).mean() >= 0.9
    assert (score_films(gate, fresh) >= 0.5).mean() >= 0.75
    (score,) = gate.score([Candidate("s", (), "", "", good[0])])
    assert score.model == encoder.revision
    assert "similarity" in score.reason


def test_the_limit_lets_the_stated_share_of_held_out_good_films_fall(good) -> None:
    bank = make_bank(FilmEncoder(), spoil(good[:8], "flat", 1), good, false_rejects=0.05)
    near, _ = bank.similarity(FilmEncoder().embed(good[1::2]))
    assert (near > bank.limit).mean() <= 0.05
    assert near.max() >= bank.limit


def test_the_shipped_bank_finds_planted_defects(good) -> None:
    gate = NotInBadBank()
    assert (score_films(gate, good) >= 0.5).mean() >= 0.9
    for kind in ("blank", "inverted", "rotated", "lateral"):
        assert (score_films(gate, spoil(good[:12], kind, 3)) < 0.5).mean() >= 0.75, kind


def test_too_few_good_films_for_the_stated_share_are_refused(good) -> None:
    with pytest.raises(ValueError, match=r"1\.0% false rejects takes .* 200 good ones"):
        make_bank(FilmEncoder(), good[:1], good)
    with pytest.raises(ValueError, match="0 bad"):
        make_bank(FilmEncoder(), [], good, 0.1)


def test_a_bank_of_another_encoder_and_a_missing_one_are_refused(tmp_path: Path, good) -> None:
    rows = np.eye(4, 64, dtype=np.float32)
    save_bank(BadBank(rows, np.zeros(64, np.float32), 0.5, 0.01, "rad-dino@1"), tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="was made with rad-dino@1"):
        score_films(NotInBadBank(tmp_path / "b.safetensors"), good[:1])
    with pytest.raises(ModelNotFound, match=r"models\.gates\.film\.bad_bank"):
        load_bank(tmp_path / "none.safetensors")
    with pytest.raises(ModelNotFound, match="no model folder"):
        open_encoder("./nowhere").embed(good[:1])


def test_the_command_makes_a_bank_from_folders(
    tmp_path: Path, good, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, films in {"bad": spoil(good[:4], "inverted", 1), "good": good}.items():
        (tmp_path / name).mkdir()
        for at, film in enumerate(films):
            cv2.imwrite(str(tmp_path / name / f"{at}.png"), film)
    out = tmp_path / "bank.safetensors"
    command = ["bank", "--bad", f"{tmp_path}/bad", "--good", f"{tmp_path}/good", "--false-rejects", "0.1"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(out)])
    bad_bank.main()
    assert "4 bad films" in capsys.readouterr().out
    assert load_bank(out).rows.shape == (4, 64)
    (tmp_path / "bad" / "broken.png").write_text("no image")
    with pytest.raises(ValueError, match=r"broken\.png is no image"):
        bad_bank.main()
