"""The words by which reports name the phantom's findings, and the sides, zones and severities of any."""

from __future__ import annotations

from models.findings.label_sets import load

PHANTOM = load("phantom")
SYNONYMS: dict[str, tuple[str, ...]] = {label.name: label.patterns for label in PHANTOM.labels}
"""Regular expressions over lower-case text for each finding; a plural is part of the word."""
NORMALS: dict[str, tuple[str, ...]] = {
    label.name: label.normal_patterns for label in PHANTOM.labels if label.normal_patterns
}
"""Statements of the normal: they deny their finding without naming it."""
SIDES = {"left": "left", "left-sided": "left", "right": "right", "right-sided": "right", "bilateral": "bilateral"}
ZONES = {
    word: zone
    for zone, words in {
        "upper zone": ("upper zone", "upper lobe", "upper lung", "apical", "apex", "upper lung zone"),
        "mid zone": ("mid zone", "middle zone", "middle lobe", "mid lung", "mid lung zone", "perihilar"),
        "lower zone": ("lower zone", "lower lobe", "lower lung", "basal", "basilar", "base", "lower lung zone"),
    }.items()
    for word in words
}
SEVERITIES: tuple[str, ...] = (
    *sorted({severity for label in PHANTOM.labels for severity in label.severities}),
    *("mildly", "moderately", "markedly", "severely", "tiny", "trace"),
)
