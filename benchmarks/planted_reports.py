"""Plant known errors into good reports, to learn what each gate finds (after ReXErr, Rao et al. 2024).

An error of content is a difference between what was asked for and what was written: the writer gets other mentions
than the candidate keeps. The others are edits of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.contracts import Candidate, EntityType, Mention
from models.phantom.vocabulary import BY_NAME, KINDS, Finding, phrase

Writer = Callable[[Sequence[Mention], np.random.Generator], tuple[str, str]]
Change = Callable[[tuple[Mention, ...], np.random.Generator], tuple[Mention, ...] | None]
Edit = Callable[[str, str, np.random.Generator], tuple[str, str]]
_FOREIGN = ("A displaced rib fracture is seen.", "There is subcutaneous emphysema.", "Free air under the diaphragm.",
            "There is pleural thickening.", "A calcified granuloma is noted.", "The aorta is tortuous.")  # fmt: skip
_NORMAL = ("No acute cardiopulmonary process.", "Normal chest radiograph.", "No acute cardiopulmonary abnormality.")
COPY = "copy of another report"
_DEVICES = frozenset(kind.name for kind in KINDS if kind.device)


@dataclass(frozen=True, slots=True)
class Error:
    """One kind of error: the gates that answer for it, and how it is made (in the mentions or in the text)."""

    gates: tuple[str, ...]
    change: Change | None = None
    edit: Edit | None = None
    impression_only: bool = False


def plant(
    kind: str, mentions: tuple[Mention, ...], writer: Writer, rng: np.random.Generator, sample_id: str = "planted"
) -> Candidate | None:
    """A report for `mentions` with one error of `kind`; None where the mentions leave no room for it."""
    error = ERRORS[kind]
    seed = int(rng.integers(2**32))
    findings, impression = writer(mentions, np.random.default_rng(seed))
    if error.change is not None:
        changed = error.change(mentions, rng)
        if changed is None:
            return None
        wrong_findings, impression = writer(changed, np.random.default_rng(seed))
        findings = findings if error.impression_only else wrong_findings
    if error.edit is not None:
        findings, impression = error.edit(findings, impression, rng)
    return Candidate(sample_id, mentions, findings, impression)


def _pick(
    mentions: tuple[Mention, ...], rng: np.random.Generator, fit: Callable[[Mention], bool]
) -> tuple[int, Mention] | None:
    places = [place for place, mention in enumerate(mentions) if fit(mention)]
    if not places:
        return None
    place = int(rng.choice(places))
    return place, mentions[place]


def _with(mention: Mention, **attributes: str | None) -> Mention:
    """The mention with other attributes, and its words with them."""
    changed = replace(mention, **attributes)  # type: ignore[arg-type]
    finding = Finding(str(changed.label), changed.side, changed.zone, changed.severity)
    return replace(changed, phrase=phrase(finding))


def _finding(mention: Mention) -> bool:
    return mention.present and mention.type is not EntityType.ANATOMY and mention.label in BY_NAME


def _omit(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    picked = _pick(mentions, rng, lambda mention: mention.type is not EntityType.ANATOMY)
    return picked and (*mentions[: picked[0]], *mentions[picked[0] + 1 :])


def _omit_present(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    picked = _pick(mentions, rng, _finding)
    return picked and (*mentions[: picked[0]], *mentions[picked[0] + 1 :])


def _add(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    known = {mention.label for mention in mentions}
    kind = rng.choice([kind for kind in KINDS if kind.name not in known])  # type: ignore[arg-type]
    some = [str(rng.choice(options)) if options else None for options in (kind.sides, kind.zones, kind.severities)]
    added = Mention(f"{kind.type}/{kind.name}", kind.type, phrase(Finding(kind.name, *some)), kind.name, True, *some)
    return (*mentions, added)


def _swapped(attribute: str, options: Callable[[Mention], Sequence[str]]) -> Change:
    def change(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
        def fit(mention: Mention) -> bool:
            return _finding(mention) and getattr(mention, attribute) is not None and len(options(mention)) > 1

        picked = _pick(mentions, rng, fit)
        if picked is None:
            return None
        place, mention = picked
        others = [option for option in options(mention) if option != getattr(mention, attribute)]
        wrong = _with(mention, **{attribute: str(rng.choice(others))})
        return (*mentions[:place], wrong, *mentions[place + 1 :])

    return change


def _deny(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    picked = _pick(mentions, rng, _finding)
    if picked is None:
        return None
    place, mention = picked
    denied = replace(mention, present=False, phrase=f"no {mention.phrase}")
    return (*mentions[:place], denied, *mentions[place + 1 :])


def _affirm(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    picked = _pick(mentions, rng, lambda mention: not mention.present and mention.label in BY_NAME)
    if picked is None:
        return None
    place, mention = picked
    return (*mentions[:place], replace(_with(mention), present=True), *mentions[place + 1 :])


def _replace_finding(mentions: tuple[Mention, ...], rng: np.random.Generator) -> tuple[Mention, ...] | None:
    picked = _pick(mentions, rng, _finding)
    more = _add(mentions, rng)
    return picked and more and tuple(mention for mention in more if mention is not picked[1])


def _abnormal(mentions: tuple[Mention, ...], _: np.random.Generator) -> tuple[Mention, ...] | None:
    """The same mentions, where one of them is an abnormality that an IMPRESSION must not deny."""
    return mentions if any(_finding(mention) and mention.label not in _DEVICES for mention in mentions) else None


def _append(*lines: str) -> Edit:
    def edit(findings: str, impression: str, rng: np.random.Generator) -> tuple[str, str]:
        return f"{findings} {rng.choice(lines)}", impression

    return edit


def _prepend(*lines: str) -> Edit:
    def edit(findings: str, impression: str, rng: np.random.Generator) -> tuple[str, str]:
        return f"{rng.choice(lines)} {findings}", impression

    return edit


def _sentence_again(findings: str, impression: str, rng: np.random.Generator) -> tuple[str, str]:
    longest = max((line for line in findings.split(". ") if line), key=len)
    return f"{findings} {' '.join([longest.rstrip('.') + '.'] * int(rng.integers(2, 5)))}", impression


def _contradict(findings: str, impression: str, rng: np.random.Generator) -> tuple[str, str]:
    lines = re.split(r"(?<=[a-z])\.\s*", impression)[:-1]
    place = int(rng.integers(len(lines)))
    lines[place] = re.sub(r"(?i)^(\d+\. )?(?:there is (?:an? )?)?(.)", _denial, lines[place])
    return findings, ". ".join(lines) + "."


def _denial(match: re.Match[str]) -> str:
    return f"{match.group(1) or ''}There is no {match.group(2).lower()}"


def _end_normal(findings: str, _: str, rng: np.random.Generator) -> tuple[str, str]:
    return findings, str(rng.choice(_NORMAL))


def _cut(findings: str, impression: str, rng: np.random.Generator) -> tuple[str, str]:
    return " ".join(findings.split()[: int(rng.integers(1, 4))]), impression


def _ramble(findings: str, impression: str, _: np.random.Generator) -> tuple[str, str]:
    return findings, " ".join([impression] * (1 + 100 // max(1, len(impression.split()))))


_SIDE = _swapped("side", lambda mention: BY_NAME[mention.label or ""].sides)
_ZONE = _swapped("zone", lambda mention: BY_NAME[mention.label or ""].zones)
_SEVERITY = _swapped("severity", lambda mention: BY_NAME[mention.label or ""].severities)
_CONTENT, _SUMMARY = ("completeness", "no_extra_finding"), ("completeness", "impression_consistency")
ERRORS: Mapping[str, Error] = {
    "omitted": Error(("completeness",), _omit),
    "omitted from IMPRESSION": Error(("completeness",), _omit_present, impression_only=True),
    "added": Error(("no_extra_finding",), _add),
    "added to IMPRESSION": Error(("no_extra_finding",), _add, impression_only=True),
    "added, outside the vocabulary": Error(("no_extra_finding",), edit=_append(*_FOREIGN)),
    "finding replaced": Error(_CONTENT, _replace_finding),
    "side flipped": Error(_CONTENT, _SIDE),
    "side flipped in IMPRESSION": Error(_SUMMARY, _SIDE, impression_only=True),
    "zone changed": Error(_CONTENT, _ZONE),
    "severity changed": Error(_CONTENT, _SEVERITY),
    "severity changed in IMPRESSION": Error(_SUMMARY, _SEVERITY, impression_only=True),
    "present denied": Error(("completeness",), _deny),
    "absent stated": Error(_CONTENT, _affirm),
    "IMPRESSION contradicts": Error(("impression_consistency",), _abnormal, _contradict),
    "IMPRESSION normal": Error(_SUMMARY, _abnormal, _end_normal),
    "sentence repeated": Error(("repetition",), edit=_sentence_again),
    "prompt leaked": Error(
        ("leakage",),
        edit=_append(
            "Write each entity word for word in a sentence.", "No other finding, in this order: place: left lung."
        ),
    ),
    "refusal or chatter": Error(
        ("leakage",),
        edit=_prepend(
            "I'm sorry, but I cannot provide medical advice.",
            "Sure, here is the report you asked for:",
            "As an AI language model, I am unable to interpret images.",
            "**FINDINGS** ###",
        ),
    ),
    "de-identification mark": Error(("lint",), edit=_append("Compared to ___.", "Seen by XXXX.", "[**Hospital 12**]")),
    "date or time": Error(("lint",), edit=_append("Film of 3/14/2019.", "Film of May 3, 2015.", "Read at 4:45 p.m.")),
    "name": Error(
        ("lint",), edit=_append("Discussed with Dr. Miller.", "Signed by Anna Smith, MD.", "Mr. Jones moved.")
    ),
    "phone or number": Error(("lint",), edit=_append("Call (555) 123-4567.", "Accession 90412278.", "MRN: 4471.")),
    "age": Error(("lint",), edit=_prepend("67-year-old man with cough.", "A 4 month old infant.")),
    "cut short": Error(("length", "completeness"), edit=_cut),
    "rambling": Error(("length", "repetition"), edit=_ramble),
    COPY: Error(("near_duplicate",), edit=_append("Nothing else.", "Bones intact.")),
}
"""Kinds of errors, by what a reader would call them."""


def paraphrase(mentions: Sequence[Mention], rng: np.random.Generator) -> tuple[str, str]:
    """FINDINGS and IMPRESSION that state every mention in other words and order than it was asked in.

    For the looser modes of `completeness`: an exact match finds nothing here.
    """
    there = [_other_words(mention, rng) for mention in mentions if _finding(mention)]
    absent = [f"Negative for {_SYNONYMS.get(str(m.label), str(m.label))}." for m in mentions if not m.present]
    places = [f"In the {m.phrase} nothing focal." for m in mentions if m.type is EntityType.ANATOMY]
    rng.shuffle(there)
    return " ".join([*there, *absent, *places]), " ".join(there) or "No acute cardiopulmonary process."


_SYNONYMS = {
    "pleural effusion": "pleural fluid", "consolidation": "airspace opacity", "atelectasis": "atelectatic change",
    "lung nodule": "nodular opacity", "lung mass": "masslike opacity", "cardiomegaly": "cardiac enlargement",
    "pulmonary edema": "oedema", "emphysema": "emphysematous change", "pulmonary fibrosis": "fibrotic change",
    "scoliosis": "spinal curvature", "hiatal hernia": "hiatus hernia", "pacemaker": "pacing device",
    "endotracheal tube": "ET tube", "central venous catheter": "central line", "hilar enlargement": "hilar prominence",
    "widened mediastinum": "mediastinal widening", "hemidiaphragm elevation": "diaphragmatic elevation",
}  # fmt: skip


def _other_words(mention: Mention, rng: np.random.Generator) -> str:
    name = _SYNONYMS.get(str(mention.label), str(mention.label))
    side, zone, severity = mention.side, mention.zone, mention.severity
    where = (
        f" in the {side} {zone}" if side and zone else f" on the {side}" if side else f" in the {zone}" if zone else ""
    )
    shape = str(rng.choice(("There is {grade}{name}{where}.", "{grade}{name}{where}.")))
    text = shape.format(grade=f"{severity} " if severity else "", name=name, where=where)
    return text[0].upper() + text[1:]
