"""Words of report text with where they stand, and their singular: what phrase tables are matched on."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+")
_IRREGULAR = {
    "apices": "apex", "atelectases": "atelectasis", "bases": "base", "bronchi": "bronchus", "bullae": "bulla",
    "calcific": "calcified", "catheters": "catheter", "diaphragms": "diaphragm", "hernias": "hernia",
    "herniae": "hernia", "hila": "hilum", "hili": "hilum", "lines": "line", "masses": "mass", "media": "medium",
    "metastases": "metastasis", "opacities": "opacity", "pleurae": "pleura", "pneumothoraces": "pneumothorax",
    "pneumothoraxes": "pneumothorax", "processes": "process", "spondyloses": "spondylosis", "thoraces": "thorax",
    "vertebrae": "vertebra", "stenoses": "stenosis", "diagnoses": "diagnosis", "bibasal": "bibasilar",
}  # fmt: skip
_SAME = frozenset({"ards", "pus", "lens", "gas", "this", "was", "has", "is", "its", "does", "as", "yes", "us", "less"})


def words(text: str) -> list[tuple[str, int, int]]:
    """Every word of lower-case `text` in the singular, with its start and end; a hyphen parts two words."""
    return [(singular(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """The singular of a lower-case English or medical word; a word that is no plural stays."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word in _SAME or not word.endswith("s") or word.endswith(("ss", "us", "is", "itis", "osis")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def bag(text: str) -> frozenset[str]:
    """The words of a table written as text."""
    return frozenset(text.split())


def key(phrase: str) -> tuple[str, ...]:
    """A phrase as its words in the singular: what two spellings of one thing have in common."""
    return tuple(map(singular, _WORD.findall(phrase.lower())))
