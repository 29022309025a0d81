"""Calibration on good films, the trained judge, and the ensemble of all."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models import registry
from models.build.defects import lesson, restyled, train
from models.build.fit import Run
from models.build.planted_defects import PLANTED, plant
from models.contracts import Candidate, ModelNotFound
from models.gates.calibration import fit_scale, score_films, threshold_at
from models.gates.ensemble import (
    CALIBRATIONS,
    MEMBERS,
    Calibration,
    Ensemble,
    calibrate,
    load_calibration,
    members,
    save_calibration,
)
from models.gates.film import view as view_module
from models.gates.film.defects import FilmDefects
from models.gates.film.view import FilmBatch
from models.nets.defect_net import DefectNet, films_to_tensor, load_defect_net, save_defect_net
from models.nets.shipped import SHIPPED
from models.training.schedule import Schedule


def planted(films: list[np.ndarray], kind: str) -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return [plant(film, kind, "strong", rng) for film in films]


class TestThreshold:
    @pytest.mark.parametrize("rate", [0.01, 0.05, 0.5])
    def test_no_more_than_the_stated_share_of_good_films_falls(self, rate: float) -> None:
        scores = np.random.default_rng(0).normal(size=997)
        threshold = threshold_at(scores, rate)
        assert rate - 2 / 997 <= (scores < threshold).mean() <= rate

    def test_scores_that_are_all_alike_reject_nothing(self) -> None:
        assert (np.ones(100) < threshold_at(np.ones(100), 0.05)).sum() == 0

    @pytest.mark.parametrize("scores", [[], [0.5] * 19, [*[0.5] * 99, float("nan")]])
    def test_too_few_films_or_scores_that_are_no_numbers_are_refused(self, scores: list[float]) -> None:
        with pytest.raises(ValueError, match=r"takes .* good films"):
            threshold_at(scores, 0.05 if len(scores) < 50 else 0.01)

    def test_a_scale_puts_the_middle_at_0_and_the_lowest_twentieth_at_minus_1(self) -> None:
        scores = np.random.default_rng(1).uniform(0.2, 0.9, 1001)
        values = fit_scale(scores).of(scores)
        assert np.median(values) == pytest.approx(0)
        assert np.quantile(values, 0.05) == pytest.approx(-1, abs=0.01)
        assert fit_scale([1.0] * 20).of([0.0, float("nan"), 1.0]).tolist() == pytest.approx([-1381.6] * 2 + [0], abs=1)


class TestTrainedJudge:
    @pytest.mark.parametrize("kind", ["blank", "inverted", "rotated", "lateral", "one_lung", "missing_part"])
    def test_strong_defects_score_under_good_films(self, kind: str, sound_films: list[np.ndarray]) -> None:
        judge = FilmDefects()
        assert score_films(judge, sound_films).min() > np.median(score_films(judge, planted(sound_films, kind)))

    def test_the_likeliest_defect_is_named_with_the_weights(self, sound_films: list[np.ndarray]) -> None:
        (score,) = FilmDefects().score([Candidate("s", (), "", "", planted(sound_films[:1], "noise")[0])])
        assert "noise" in score.reason
        assert score.model == load_defect_net()[1]

    def test_broken_and_large_films_are_scored(self) -> None:
        films = [np.full((40, 300), np.nan, np.float32), np.zeros((512, 512), np.uint8)]
        assert np.isfinite(score_films(FilmDefects(), films)).all()
        assert FilmDefects().score([]) == []

    def test_weights_that_are_missing_or_know_other_defects_say_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match=r"defects\.safetensors is missing.*models\.build\.defects"):
            load_defect_net(tmp_path)
        save_defect_net(load_defect_net()[0], tmp_path, {})
        (tmp_path / "defects.json").write_text(json.dumps({"classes": ["good", "melted"]}))
        with pytest.raises(ValueError, match="other defects"):
            load_defect_net(tmp_path)

    def test_a_lesson_is_half_spoilt_and_follows_from_its_seed(self, sound_films: list[np.ndarray]) -> None:
        films = np.stack(sound_films)
        first, again = (lesson(films, 48, np.random.default_rng(4)) for _ in range(2))
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
        assert 0.2 < (first[1] == 0).float().mean() < 0.6
        assert restyled(films[0], np.random.default_rng(1)).dtype == np.uint8

    def test_training_learns(self, tmp_path: Path, sound_films: list[np.ndarray]) -> None:
        net = train(np.stack(sound_films), Run(Schedule(12, 3e-3, warmup=1), tmp_path / "d.pt"))
        with torch.inference_mode():
            chances = net(films_to_tensor([*sound_films, *planted(sound_films, "blank")])).softmax(1)[:, 0]
        assert chances[:24].mean() > chances[24:].mean()


class TestEnsemble:
    @pytest.mark.parametrize("kind", PLANTED)
    def test_it_finds_nearly_every_strong_defect(self, kind: str, sound_films: list[np.ndarray]) -> None:
        scores = score_films(registry.build(registry.GATES, "film_ensemble", {}), planted(sound_films, kind))
        assert (scores < 0.5).mean() >= 0.8

    def test_it_passes_good_films(self, sound_films: list[np.ndarray]) -> None:
        assert (score_films(Ensemble(), sound_films) >= 0.5).mean() >= 0.9

    def test_the_judge_that_likes_a_film_least_is_quoted(self, sound_films: list[np.ndarray]) -> None:
        film = sound_films[0].astype(np.float32)
        film[0, 0] = np.nan
        (score,) = Ensemble().score([Candidate("s", (), "", "", film)])
        assert score.score < 0.01
        assert "no numbers" in score.reason
        assert score.seconds > 0

    def test_members_that_share_a_view_score_as_each_does_alone(self, sound_films: list[np.ndarray]) -> None:
        large = cv2.resize(sound_films[0], (400, 320), interpolation=cv2.INTER_CUBIC)
        films = [large, np.full((40, 40), np.nan, np.float32), *sound_films[:3], *planted(sound_films[3:6], "noise")]
        batch = [Candidate(str(at), (), "", "", film) for at, film in enumerate(films)]
        view = FilmBatch(batch)
        for alone, shared in zip(members(MEMBERS, {}), members(MEMBERS, {}), strict=True):
            assert shared.score_batch(view) == alone.score(batch)

    def test_a_film_is_shrunk_and_embedded_once_for_all(
        self, sound_films: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = {"reduced": 0, "embedded": 0}
        shrink, embed = view_module.reduced, DefectNet.embed

        def counting(film: np.ndarray) -> np.ndarray:
            counts["reduced"] += 1
            return shrink(film)

        def counting_too(net: DefectNet, films: torch.Tensor) -> torch.Tensor:
            counts["embedded"] += len(films)
            return embed(net, films)

        monkeypatch.setattr(view_module, "reduced", counting)
        monkeypatch.setattr(DefectNet, "embed", counting_too)
        score_films(Ensemble(), sound_films)
        assert counts == {"reduced": len(sound_films), "embedded": len(sound_films)}

    @pytest.mark.parametrize("name", CALIBRATIONS)
    def test_a_shipped_calibration_holds_every_member(self, name: str) -> None:
        shipped = load_calibration(SHIPPED / f"{name}.json")
        assert tuple(shipped.scales) == MEMBERS
        assert shipped.false_rejects == 0.01

    def test_smoother_films_pass_where_the_calibration_is_of_smoother_films(
        self, sound_films: list[np.ndarray]
    ) -> None:
        smooth = [cv2.GaussianBlur(film, (0, 0), 0.6) for film in sound_films]
        strict, told = (score_films(Ensemble(name), smooth) for name in CALIBRATIONS)
        assert (told >= 0.5).mean() > (strict >= 0.5).mean()

    def test_calibrating_anew_gives_the_stated_share_and_survives_the_disk(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(3)
        scores = {"noise": rng.uniform(0.6, 0.9, 400), "border": rng.uniform(0.2, 0.4, 400)}
        found = calibrate(scores, 0.05)
        save_calibration(found, tmp_path / "e.json")
        read = load_calibration(tmp_path / "e.json")
        assert read == Calibration(dict(found.scales), found.limit, 0.05)
        assert 0.04 <= (read.values(scores).min(0) < read.limit).mean() <= 0.05

    def test_a_missing_calibration_says_how_to_make_one(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match=r"models\.gates\.ensemble"):
            Ensemble(tmp_path / "none.json").score([])
