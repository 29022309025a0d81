"""Findings of real chest reports that the phantom's vocabulary does not know, and which of them are mere signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.contracts import EntityType, Mention
from models.findings.chest import FRAMES, phrases
from models.findings.chest_recogniser import ChestRecogniser
from models.findings.content import core
from models.findings.words import key
from models.phantom.vocabulary import LABELS

_LUNG = frozenset(
    {"consolidation", "atelectasis", "lung nodule", "lung mass", "pulmonary edema", "pleural effusion",
     "hiatal hernia", "pulmonary fibrosis"}
)  # fmt: skip
SIGNS: Mapping[str, frozenset[str]] = {
    "opacity": _LUNG,
    "lung opacity": _LUNG,
    "airspace opacity": frozenset({"consolidation", "pulmonary edema", "atelectasis"}),
    "ground-glass opacity": frozenset({"consolidation", "pulmonary edema"}),
    "infiltrate": frozenset({"consolidation"}),
    "pneumonia": frozenset({"consolidation"}),
    "infection": frozenset({"consolidation"}),
    "volume loss": frozenset({"atelectasis", "pulmonary fibrosis"}),
    "scarring": frozenset({"pulmonary fibrosis", "atelectasis"}),
    "interstitial markings": frozenset({"pulmonary fibrosis", "pulmonary edema"}),
    "vascular congestion": frozenset({"pulmonary edema", "cardiomegaly"}),
    "peribronchial cuffing": frozenset({"pulmonary edema"}),
    "heart failure": frozenset({"pulmonary edema", "cardiomegaly"}),
    "hyperinflation": frozenset({"emphysema"}),
    "copd": frozenset({"emphysema"}),
    "bulla": frozenset({"emphysema"}),
    "low lung volumes": frozenset({"atelectasis", "pulmonary fibrosis", "hemidiaphragm elevation"}),
    "costophrenic blunting": frozenset({"pleural effusion"}),
    "mediastinal shift": frozenset({"pneumothorax", "pleural effusion", "lung mass", "scoliosis"}),
    "tracheal deviation": frozenset({"pneumothorax", "pleural effusion", "lung mass", "scoliosis"}),
    "air-fluid level": frozenset({"hiatal hernia", "pleural effusion"}),
    "lymphadenopathy": frozenset({"hilar enlargement", "widened mediastinum"}),
    "malignancy": frozenset({"lung mass", "lung nodule"}),
    "metastasis": frozenset({"lung mass", "lung nodule"}),
    "lung lesion": frozenset({"lung mass", "lung nodule"}),
}
"""A sign or a cause, and the findings that it may be said of."""
_FINDINGS = (EntityType.ABNORMALITY, EntityType.DISEASE)
KNOWN: frozenset[str] = frozenset(
    [concept for concept, kind in phrases().values() if kind in _FINDINGS]
    + [frame.concept for frame in FRAMES if frame.type in _FINDINGS]
)
"""The findings of real reports that are seen in a text."""
_RECOGNISER = ChestRecogniser(anatomy=False)


def recognises(text: str) -> bool:
    """Whether one of `KNOWN` stands in `text`, stated or denied."""
    return any(span.concept in KNOWN for span in _RECOGNISER.spans([text])[0])


def foreign_findings(text: str, asked: Sequence[Mention]) -> list[str]:
    """The words of every finding stated in `text` that is none of the phantom's, was not asked for and is no sign."""
    labels = {mention.label for mention in asked}
    wanted = [set(key(core(mention))) for mention in asked]
    return [
        span.text
        for span in _RECOGNISER.spans([text])[0]
        if span.status != "absent"
        and span.type in _FINDINGS
        and span.concept not in LABELS
        and not SIGNS.get(span.concept, frozenset()) & labels
        and not any(set(key(span.text)) <= words for words in wanted)
    ]
