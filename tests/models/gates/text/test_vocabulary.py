"""A gate on text looks for the findings of the phantom, of real reports, of a label set, or of the recipe's bank."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.contracts import Candidate, Entity, EntityType, Mention, TakesBank
from models.findings.ontology import concepts
from models.gates.text.report import ImpressionConsistency, NoExtraFinding
from models.gates.text.vocabulary import BankVocabulary, with_bank
from models.phantom.bank import entity_bank

A, D, N, ND, P = (
    EntityType.ABNORMALITY, EntityType.DISEASE, EntityType.NON_ABNORMALITY, EntityType.NON_DISEASE, EntityType.ANATOMY,
)  # fmt: skip


def entity(kind: EntityType, term: str, label: str | None = None) -> Entity:
    return Entity(f"{kind}/{term}", kind, term, label, not term.startswith("no "))


MIMIC_LIKE = (
    entity(D, "pneumonia"),
    entity(D, "sarcoid"),
    entity(D, "silicosis"),
    entity(A, "enlarged cardiac silhouette"),
    entity(A, "right basilar opacity"),
    entity(A, "healed rib fractures"),
    entity(A, "juxtaphrenic peak"),
    entity(A, "increased"),
    entity(N, "no pleural effusions"),
    entity(N, "clear lungs"),
    entity(ND, "no silo filler's lung"),
    entity(P, "left lower lobe"),
)
"""As RaTE-NER finds them in MIMIC-CXR: no labels, plurals, words of change alone, statements of the normal."""


def asked(term: str, label: str | None = None) -> Mention:
    found = next((item for item in MIMIC_LIKE if item.term == term), None)
    kind = found.type if found else A
    return Mention(f"{kind}/{term}", kind, term, label, not term.startswith("no "))


def gate(vocabulary: str | None = None) -> NoExtraFinding:
    made = NoExtraFinding(vocabulary)
    made.take_bank(MIMIC_LIKE, "phantom")
    return made


def extra(findings: str, *mentions: Mention, vocabulary: str | None = None) -> str:
    """What the gate finds too much."""
    return gate(vocabulary).score([Candidate("s", mentions, findings, "")])[0].reason


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ("There is silicosis.", "'silicosis' was not asked for"),
        ("Possible silicosis.", "'silicosis' was not asked for"),
        ("A juxtaphrenic peak is seen.", "'juxtaphrenic peak' was not asked for"),
        ("Old rib fracture on the left.", "'rib fracture' was not asked for"),
        ("The heart is enlarged.", "'heart is enlarged' was not asked for"),
        ("There is a hiatal hernia.", "'hiatal hernia' was not asked for"),
        ("Silo filler's lung is seen.", '"silo filler\'s lung" was not asked for'),
        ("No silicosis. No rib fracture.", ""),
        ("The lungs are clear. The left lower lobe is unremarkable.", ""),
        ("Markings are increased in the interval.", ""),
    ],
)
def test_beside_a_bank_of_real_reports_its_findings_are_looked_for(findings: str, told: str) -> None:
    assert extra(findings).lower() == told


@pytest.mark.parametrize(
    ("findings", "mention"),
    [
        ("There is silicosis.", "silicosis"),
        ("Silicosis with a fibrotic lung.", "silicosis with a fibrotic lung"),
        ("The heart is enlarged.", "enlarged cardiac silhouette"),
        ("There is mild cardiomegaly.", "enlarged cardiac silhouette"),
        ("A hazy opacity in the right base, compatible with pneumonia.", "pneumonia"),
        ("Right basilar opacity is seen.", "right basilar opacity"),
        ("Old healed rib fracture.", "healed rib fractures"),
    ],
)
def test_what_was_asked_for_is_not_too_much_in_other_words_either(findings: str, mention: str) -> None:
    assert extra(findings, asked(mention)) == ""


def test_a_label_asks_for_its_finding() -> None:
    assert extra("There is sarcoidosis.", asked("a granulomatous disease of the lung", "Sarcoidosis")) == ""


def test_every_entity_of_the_bank_is_judged_and_a_stranger_is_not() -> None:
    made = gate()
    assert all(made.covers(asked(item.term)) for item in MIMIC_LIKE)
    assert not made.covers(Mention("disease/gout", D, "gout"))
    assert "silicosis" in made.known_labels


def test_an_option_stands_above_the_bank() -> None:
    assert extra("There is silicosis and a rib fracture.", vocabulary="phantom") == ""
    assert "silicosis" not in gate("chest").known_labels


def test_the_phantoms_bank_is_read_by_the_phantoms_patterns_as_ever() -> None:
    assert with_bank(None, entity_bank()) is None
    told = NoExtraFinding()
    told.take_bank(entity_bank(), "phantom")
    score = told.score([Candidate("s", (), "Dense right upper zone consolidation. Rib fracture.", "")])[0]
    assert score.reason.endswith("was not asked for as dense right upper zone consolidation")


def test_a_bank_with_some_of_the_phantoms_labels_has_their_attributes_judged_too() -> None:
    mixed = (*MIMIC_LIKE, Entity("abnormality/lung nodule", A, "lung nodule", "lung nodule", True, ("left", "right")))
    left = Mention("abnormality/lung nodule", A, "left lung nodule", "lung nodule", True, "left")
    found = BankVocabulary(mixed).extra("A right lung nodule.", [left])
    assert found == ["'lung nodule' was not asked for as right lung nodule"]


def test_the_findings_of_a_label_set_are_looked_for(tmp_path: Path) -> None:
    effusion = Mention("abnormality/effusion", A, "effusion", "Effusion")
    sections = Candidate("s", (effusion,), "A left effusion. Nodules. A rib fracture.", "")
    assert NoExtraFinding("nih-14").score([sections])[0].reason == "'Nodules' was not asked for as Nodule"
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nlabels: [{name: fracture, means: [fracture]}]\n")
    assert NoExtraFinding(str(path)).score([sections])[0].reason == "'rib fracture' was not asked for as fracture"
    assert NoExtraFinding("nih-14").covers(effusion)
    assert not NoExtraFinding("nih-14").covers(Mention("abnormality/rib fracture", A, "rib fracture"))


@pytest.mark.parametrize(
    ("findings", "impression", "told"),
    [
        ("There is silicosis.", "No silicosis.", "'silicosis' is both stated and denied"),
        ("Left pneumonia.", "Right pneumonia.", "'pneumonia' is right in IMPRESSION, another side than in FINDINGS"),
        ("Mildly enlarged heart. Silicosis.", "Normal chest radiograph.", "IMPRESSION is normal, but FINDINGS state"),
        ("Mild pneumonia.", "Mild pneumonia.", ""),
        ("Degenerative changes of the spine.", "No acute cardiopulmonary abnormality.", ""),
        ("A pacemaker is in place.", "Normal chest radiograph.", ""),
        ("Possible pneumonia.", "No pneumonia.", ""),
    ],
)
def test_sections_are_compared_by_the_banks_findings(findings: str, impression: str, told: str) -> None:
    compared = ImpressionConsistency()
    compared.take_bank(MIMIC_LIKE, "phantom")
    reason = compared.score([Candidate("s", (asked("silicosis"),), findings, impression)])[0].reason
    assert reason.startswith(told) if told else reason == ""


def test_both_gates_take_a_bank() -> None:
    assert isinstance(NoExtraFinding(), TakesBank)
    assert isinstance(ImpressionConsistency(), TakesBank)


def test_of_the_phantoms_findings_these_are_chronic() -> None:
    chronic = {name for name, concept in concepts().items() if concept.chronic}
    assert chronic & {item.label for item in entity_bank()} == {
        "scoliosis", "hiatal hernia", "emphysema", "pulmonary fibrosis", "hemidiaphragm elevation"
    }  # fmt: skip
