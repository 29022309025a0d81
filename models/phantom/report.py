"""Write the report of a film: FINDINGS with everything said, IMPRESSION with what is there.

Every phrase stands verbatim (letter case aside), so that completeness can be checked; what varies is the
words around it and the order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.contracts import EntityType, Mention
from models.phantom.vocabulary import BY_NAME, KINDS, Finding, phrase

NORMAL_IMPRESSIONS = (
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary process.",
    "Normal chest radiograph.",
    "No evidence of acute disease in the chest.",
)
_GENERAL = (
    "There is {a} {p}.", "{A} {p} is seen.", "{A} {p} is present.", "{P} is noted.", "{A} {p} is identified.",
    "Findings are consistent with {a} {p}.",
)  # fmt: skip
_OWN: dict[str, tuple[str, ...]] = {
    "pleural effusion": ("{A} {p} blunts the costophrenic angle.", "{A} {p} layers along the chest wall."),
    "pneumothorax": ("{A} {p} is present with a visible pleural line.", "There is {a} {p} without mediastinal shift."),
    "consolidation": ("{P} with air bronchograms.", "{A} {p} is suspicious for pneumonia."),
    "atelectasis": ("Band-like opacity represents {p}.", "Volume loss with {p}."),
    "lung nodule": ("{A} {p} with smooth margins.", "A round opacity represents {a} {p}."),
    "lung mass": ("{A} {p} with lobulated margins.", "{A} {p} warrants further evaluation."),
    "cardiomegaly": ("{P} with an enlarged cardiac silhouette.", "The heart is enlarged, in keeping with {p}."),
    "pulmonary edema": ("Perihilar haze is consistent with {p}.", "{P} with indistinct vessels."),
    "emphysema": ("The lungs are hyperinflated with {p}.", "Flattened diaphragms in keeping with {p}."),
    "pulmonary fibrosis": ("Coarse reticular markings reflect {p}.", "{P} with a basal predominance."),
    "scoliosis": ("The thoracic spine shows {p}.", "{P} of the thoracic spine."),
    "hiatal hernia": ("A retrocardiac opacity with an air-fluid level represents {a} {p}.",),
    "widened mediastinum": ("The upper chest shows {a} {p}.",),
    "hemidiaphragm elevation": ("The dome of the diaphragm is high, with {p}.",),
    "hilar enlargement": ("The hilum is full, with {p}.",),
    "pacemaker": ("{A} {p} with its lead over the right ventricle.", "{A} {p} is in place."),
    "endotracheal tube": ("{A} {p} ends above the carina.", "{A} {p} is in place."),
    "central venous catheter": ("{A} {p} ends in the superior vena cava.", "{A} {p} is in place."),
}
_UNCOUNTED = {"consolidation", "atelectasis", "cardiomegaly", "pulmonary edema", "emphysema", "pulmonary fibrosis",
              "scoliosis", "hilar enlargement", "hemidiaphragm elevation"}  # fmt: skip
_NEGATED = ("There is {p}.", "There is {p} identified.", "{P} is seen.", "{P}.", "{P} is evident.")
_PLACES = ("No focal lesion in the {p}.", "The {p} is otherwise unremarkable.", "No focal opacity in the {p}.")
_CLEAR = (
    "The lungs are clear.", "The cardiomediastinal silhouette is within normal limits.", "The heart size is normal.",
    "The osseous structures are unremarkable.", "The visualized bones are intact.",
)  # fmt: skip


def mentions_of(findings: Sequence[Finding], rng: np.random.Generator, negated: int = 3) -> tuple[Mention, ...]:
    """What a radiologist would mention: all that is there, and up to `negated` of the usual things that are not."""
    said = [_positive(finding) for finding in findings]
    there = {finding.name for finding in findings}
    absent = [kind.name for kind in KINDS if kind.name not in there and not kind.device]
    weights = np.array(
        [3.0 if name in ("pneumothorax", "pleural effusion", "consolidation") else 1.0 for name in absent]
    )
    count = min(len(absent), int(rng.integers(1, negated + 1)))
    chosen = rng.choice(absent, count, replace=False, p=weights / weights.sum()) if absent else ()
    return (*said, *(_negative(str(name)) for name in chosen))


def _positive(finding: Finding) -> Mention:
    kind = BY_NAME[finding.name]
    return Mention(f"{kind.type.value}/{finding.name}", kind.type, phrase(finding), finding.name, True,
                   finding.side, finding.zone, finding.severity)  # fmt: skip


def _negative(name: str) -> Mention:
    kind = EntityType.NON_DISEASE if BY_NAME[name].type is EntityType.DISEASE else EntityType.NON_ABNORMALITY
    return Mention(f"{kind.value}/no {name}", kind, f"no {name}", name, False)


def write_report(mentions: Sequence[Mention], rng: np.random.Generator) -> tuple[str, str]:
    """FINDINGS and IMPRESSION that state every mention and nothing else that could be wrong.

    Args:
        mentions: what to state; a negated one's phrase begins with ``no``.
        rng: draws words and order.
    """
    present = [m for m in mentions if m.present and m.type is not EntityType.ANATOMY]
    absent = [m for m in mentions if not m.present]
    places = [m for m in mentions if m.type is EntityType.ANATOMY and not _covered(m, present)]
    body = [_sentence(m, rng) for m in present]
    rest = [_fill(str(rng.choice(_NEGATED)), m.phrase) for m in absent]
    rest += [str(rng.choice(_PLACES)).format(p=m.phrase) for m in places]
    rng.shuffle(body)
    rng.shuffle(rest)
    if not present:
        body = [str(text) for text in rng.choice(_CLEAR, 2, replace=False)]
    return " ".join([*body, *rest]), _impression(present, rng)


def _covered(place: Mention, present: Sequence[Mention]) -> bool:
    return any(place.phrase.lower() in m.phrase.lower() for m in present)


def _sentence(mention: Mention, rng: np.random.Generator) -> str:
    own = _OWN.get(mention.label or "", ())
    device = mention.label in BY_NAME and BY_NAME[mention.label].device
    shapes = own + _GENERAL[:3] if device else _GENERAL + own * 2
    return _fill(str(rng.choice(shapes)), mention.phrase, uncounted=mention.label in _UNCOUNTED)


def _fill(shape: str, text: str, uncounted: bool = False) -> str:
    article = "" if uncounted else ("an " if text[0].lower() in "aeiou" else "a ")
    filled = shape.replace("{a} ", article).replace("{A} {p}", _capital(article + text))
    return filled.replace("{p}", text).replace("{P}", _capital(text))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _impression(present: Sequence[Mention], rng: np.random.Generator) -> str:
    if not present:
        return str(rng.choice(NORMAL_IMPRESSIONS))
    phrases = [present[at].phrase for at in rng.permutation(len(present))]
    style = rng.random()
    if len(phrases) > 1 and style < 0.25:
        return " ".join(f"{n}. {_capital(text)}." for n, text in enumerate(phrases, 1))
    if len(phrases) == 2 and style < 0.5:
        joint = str(rng.choice(["with", "and"]))
        return f"{_capital(phrases[0])} {joint} {phrases[1]}."
    return " ".join(f"{_capital(text)}." for text in phrases)
