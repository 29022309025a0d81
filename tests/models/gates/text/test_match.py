"""The looser modes of completeness, and what they still refuse."""

from __future__ import annotations

import pytest

from models.contracts import Candidate, EntityType, Mention
from models.encoders.text import NgramEncoder
from models.gates.text.report import Completeness, ImpressionConsistency, NoExtraFinding

A, D, N, P = EntityType.ABNORMALITY, EntityType.DISEASE, EntityType.NON_DISEASE, EntityType.ANATOMY
EFFUSION = Mention("a", A, "moderate left pleural effusion", "pleural effusion", True, "left", None, "moderate")
ABSENT = Mention("n", N, "no pneumothorax", "pneumothorax", False)
PLACE = Mention("p", P, "right upper zone", None, True, "right", "upper zone")
GRANULOMA = Mention("g", A, "calcified granulomas")
FOREIGN = Mention("f", A, "old rib fractures")


def complete(mode, mention: Mention, text: str) -> bool:
    candidate = Candidate("s", (mention,), text, text)
    return Completeness(mode).score([candidate])[0].score == 1.0


@pytest.mark.parametrize(
    ("mention", "text", "modes"),
    [
        (EFFUSION, "MODERATE left\n pleural effusion.", "exact normalised soft"),
        (EFFUSION, "Moderate pleural fluid on the left.", "normalised soft"),
        (EFFUSION, "Moderate left-sided effusions.", "normalised soft"),
        (EFFUSION, "Moderate pleural fluid on the right.", ""),
        (EFFUSION, "Small left effusion.", ""),
        (EFFUSION, "No moderate left pleural effusion.", ""),
        (EFFUSION, "", ""),
        (ABSENT, "No evidence of pneumothoraces.", "normalised soft"),
        (ABSENT, "Pneumothoraces.", ""),
        (PLACE, "Nothing in the upper zone on the right.", "normalised soft"),
        (PLACE, "Nothing in the upper zone on the left.", ""),
        (FOREIGN, "A rib fracture is old.", "normalised soft"),
        (FOREIGN, "Rib fractures, old.", "normalised soft"),
        (FOREIGN, "Old rib fracture.", "normalised soft"),
        (FOREIGN, "No old rib fracture.", ""),
        (FOREIGN, "Fracture of a rib.", ""),
        (GRANULOMA, "A granulomatous calcification.", "soft"),
        (GRANULOMA, "No granulomatous calcification.", ""),
    ],
)
def test_modes(mention: Mention, text: str, modes: str) -> None:
    assert " ".join(mode for mode in ("exact", "normalised", "soft") if complete(mode, mention, text)) == modes


def test_the_soft_modes_model_names_its_encoder_and_a_wrong_mode_is_an_error() -> None:
    assert Completeness("soft").score([Candidate("s", (EFFUSION,), "", "")])[0].model == "rules/1+char_wb-3-5/1"
    with pytest.raises(ValueError, match="exact, normalised, soft"):
        Completeness("fuzzy")  # type: ignore[arg-type]


def test_ngram_embeddings_are_unit_vectors_near_for_near_words() -> None:
    rows = NgramEncoder().embed(["pleural effusion", "pleural effusions", "scoliosis", ""])
    assert rows.shape == (4, 4096)
    assert rows[0] @ rows[1] > 0.8 > 0.2 > rows[0] @ rows[2]
    assert rows[3].sum() == 0
    assert NgramEncoder().embed([]).shape == (0, 4096)


def test_findings_outside_the_vocabulary_are_extra_only_where_asked_for_and_no_sign() -> None:
    def extra(text: str, vocabulary: str = "chest") -> float:
        return NoExtraFinding(vocabulary).score([Candidate("s", (EFFUSION,), text, "")])[0].score

    assert extra("There is a rib fracture.") == 0.5
    assert extra("There is a rib fracture.", "phantom") == 1.0
    assert extra("No rib fracture. The costophrenic angle is blunted.") == 1.0
    foreign = Candidate("s", (FOREIGN,), "Old rib fractures.", "Old rib fractures.")
    assert NoExtraFinding("chest").score([foreign])[0].score == 1.0
    with pytest.raises(ValueError, match="vocabulary: neither 'chest' nor 'bank'; unknown label set 'all'"):
        NoExtraFinding("all")


@pytest.mark.parametrize(
    ("findings", "impression", "reason"),
    [
        ("Left effusion.", "Right effusion.", "another side"),
        ("Bilateral effusions.", "Left effusion.", ""),
        ("Small effusion.", "Large effusion.", "another severity"),
        ("Small effusion.", "Effusion.", ""),
        ("Consolidation.", "No acute cardiopulmonary process.", "IMPRESSION is normal"),
        ("Scoliosis. A pacemaker.", "No acute cardiopulmonary process.", ""),
        ("Scoliosis.", "Normal chest radiograph.", "IMPRESSION is normal"),
        ("No edema.", "No acute abnormality.", ""),
    ],
)
def test_impressions_that_disagree(findings: str, impression: str, reason: str) -> None:
    score = ImpressionConsistency().score([Candidate("s", (), findings, impression)])[0]
    assert (score.score == 1.0) is (not reason)
    assert reason in score.reason
