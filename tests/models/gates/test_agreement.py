"""The agreement gate and both classifiers on films of the phantom that nothing was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models import registry
from models.build.classifiers import augmented, label_auroc, train_classifier
from models.build.fit import Run
from models.contracts import Candidate, EntityType, Gate, Mention, ModelNotFound
from models.gates.agreement import Agreement
from models.nets.classifier import NETS, load_classifier, logits, save_classifier
from models.nets.shipped import SHIPPED
from models.nets.slots import SIDED
from models.phantom.archive import render_many
from models.phantom.case import Case
from models.phantom.film import draw_film
from models.phantom.hospital import HOSPITAL_B
from models.phantom.vocabulary import LABELS, Finding
from models.training.schedule import Schedule

SARCOIDOSIS = Mention("disease/sarcoidosis", EntityType.DISEASE, "sarcoidosis")
EFFUSION = Finding("pleural effusion", "left", None, "large")


def asked(finding: Finding, present: bool = True) -> Mention:
    return Mention(
        finding.name, EntityType.ABNORMALITY, finding.name, finding.name, present, finding.side, finding.zone
    )


def film(index: int, *findings: Finding, size: int = 128) -> np.ndarray:
    return draw_film(Case("a", 9001, index, findings), size)[0]


def scores(images: list[np.ndarray], *mentions: Mention) -> np.ndarray:
    gate = registry.build(registry.GATES, "agreement", {})
    assert isinstance(gate, Gate)
    return np.array([s.score for s in gate.score([Candidate("s", mentions, "", "", image) for image in images])])


@pytest.fixture(scope="module")
def with_effusion() -> list[np.ndarray]:
    return [film(index, EFFUSION) for index in range(20)]


@pytest.fixture(scope="module")
def clear() -> list[np.ndarray]:
    return [film(index) for index in range(20)]


def test_a_film_that_shows_what_was_asked_passes_and_one_that_does_not_fails(
    with_effusion: list[np.ndarray], clear: list[np.ndarray]
) -> None:
    assert (scores(with_effusion, asked(EFFUSION)) >= 0.5).mean() >= 0.9
    assert (scores(clear, asked(EFFUSION)) < 0.5).mean() >= 0.9


def test_the_wrong_side_fails(with_effusion: list[np.ndarray]) -> None:
    right = Finding("pleural effusion", "right", None, "large")
    assert (scores(with_effusion, asked(right)) < 0.5).mean() >= 0.9


def test_the_least_sure_finding_decides_and_is_named(with_effusion: list[np.ndarray]) -> None:
    both = (asked(EFFUSION), asked(Finding("scoliosis", None, None, "severe")))
    (result,) = Agreement().score([Candidate("s", both, "", "", with_effusion[0])])
    assert result.score < 0.5
    assert "scoliosis" in result.reason


def test_denied_and_foreign_findings_and_places_are_not_asked_about(clear: list[np.ndarray]) -> None:
    place = Mention("p", EntityType.ANATOMY, "left lower zone")
    assert (scores(clear[:2], asked(EFFUSION, present=False), place) == 1.0).all()
    assert np.array_equal(scores(clear[:2], asked(EFFUSION), SARCOIDOSIS), scores(clear[:2], asked(EFFUSION)))


def test_a_report_that_asks_for_nothing_that_the_classifier_knows_has_no_score(clear: list[np.ndarray]) -> None:
    denied = asked(EFFUSION, present=False)
    (result,) = Agreement().score([Candidate("s", (SARCOIDOSIS, denied), "", "", clear[0])])
    assert np.isnan(result.score)
    assert result.reason == "the classifier knows no disease/sarcoidosis"
    assert [Agreement().covers(mention) for mention in (SARCOIDOSIS, denied, asked(EFFUSION))] == [False, True, True]


def test_films_of_other_sizes_and_broken_ones_are_scored(with_effusion: list[np.ndarray]) -> None:
    large, broken = film(0, EFFUSION, size=256), np.full((128, 128), np.nan, np.float32)
    assert scores([large], asked(EFFUSION))[0] == pytest.approx(
        scores([with_effusion[0]], asked(EFFUSION))[0], abs=0.3
    )
    assert np.isfinite(scores([broken], asked(EFFUSION))).all()


def test_the_batch_changes_nothing(with_effusion: list[np.ndarray]) -> None:
    alone = [scores([image], asked(EFFUSION))[0] for image in with_effusion[:5]]
    assert scores(with_effusion[:5], asked(EFFUSION)) == pytest.approx(alone, abs=1e-4)


@pytest.fixture(scope="module")
def hospital_b() -> tuple[np.ndarray, np.ndarray]:
    films, labels, _ = render_many(HOSPITAL_B, 2024, range(300), workers=1)
    return films, labels


@pytest.mark.parametrize("name", NETS)
def test_both_classifiers_transfer_to_hospital_b(name: str, hospital_b: tuple[np.ndarray, np.ndarray]) -> None:
    films, labels = hospital_b
    net, facts = load_classifier(name)
    assert label_auroc(logits(net, films), labels)["macro"] >= 0.93
    assert facts["auroc_hospital_b"]["macro"] >= 0.95


def test_the_examiner_is_another_network_than_the_gate_uses() -> None:
    assert NETS["agreement"] is not NETS["examiner"]
    assert SIDED[: len(LABELS)] == LABELS


def test_missing_and_outdated_classifiers_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"agreement\.safetensors is missing.*make image-generator"):
        Agreement(tmp_path).score([Candidate("s", (), "", "", np.zeros((128, 128), np.uint8))])
    for path in SHIPPED.glob("agreement.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = json.loads((tmp_path / "agreement.json").read_text())
    (tmp_path / "agreement.json").write_text(json.dumps(facts | {"answers": ["gout"]}))
    with pytest.raises(ValueError, match="answers other labels"):
        load_classifier("agreement", tmp_path)


def test_a_classifier_is_the_same_after_saving_and_loading(tmp_path: Path, clear: list[np.ndarray]) -> None:
    net = NETS["examiner"]().eval()
    save_classifier(net, "examiner", tmp_path, {"note": 1})
    loaded, facts = load_classifier("examiner", tmp_path)
    assert np.allclose(logits(net, clear[:3]), logits(loaded, clear[:3]), atol=1e-4)
    assert facts["note"] == 1


def test_augmentation_keeps_shape_range_and_sides() -> None:
    torch.manual_seed(0)
    films = torch.zeros(32, 1, 128, 128)
    films[..., :40] = 1.0
    moved = augmented(films)
    assert moved.shape == films.shape
    assert (moved[..., 20:100, 15:30].mean((1, 2, 3)) > moved[..., 20:100, 90:115].mean((1, 2, 3))).all()


@pytest.mark.parametrize("shown", [0, 1])
def test_a_classifier_learns_what_it_is_shown(tmp_path: Path, shown: int) -> None:
    images = np.random.default_rng(0).integers(90, 110, (64, 128, 128)).astype(np.uint8)
    images[::2, 40:90, 20:60] += 90
    targets = np.zeros((64, len(SIDED)), np.float32)
    targets[shown::2, 0] = 1
    run = Run(Schedule(4, 3e-3, warmup=1), tmp_path / "c.pt")
    net = train_classifier("agreement", images, targets, torch.ones(64), run)
    answers = logits(net, images[:16])[:, 0]
    assert answers[shown::2].min() > answers[1 - shown :: 2].max() + 0.2
