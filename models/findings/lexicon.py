"""The words by which reports name the phantom's findings, sides, zones and severities."""

from __future__ import annotations

from models.phantom.vocabulary import BY_NAME, LABELS

# Each value is a regular expression over lower-case text; a plural is part of the word.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "pleural effusion": (r"pleural effusions?", r"pleural fluid", r"(?<!pericardial )effusions?", r"hydrothorax"),
    "consolidation": (
        r"(?:airspace |air-space )?consolidations?",
        r"consolidative (?:opacity|opacities|changes?)",
        r"air-?\s?space (?:opacity|opacities|opacification|disease)",
        r"pneumonias?",
    ),
    "atelectasis": (r"atelectas[ie]s", r"atelectatic (?:changes?|bands?|opacity|opacities)", r"lobar collapse"),
    "lung nodule": (r"(?:(?:lung|pulmonary) )?nodules?", r"nodular (?:opacity|opacities|lesions?)"),
    "lung mass": (
        r"(?:(?:lung|pulmonary) )?(?<!mediastinal )mass(?:es)?",
        r"mass-?like (?:opacity|opacities|lesions?)",
    ),
    "hilar enlargement": (
        r"hilar (?:enlargement|prominence|lymphadenopathy|adenopathy|fullness)",
        r"(?:enlarged|prominent|bulky) (?:(?:left|right) )?(?:hilum|hila)",
        r"(?:hilum|hila) (?:is|are|appears?) (?:mildly |markedly )?(?:enlarged|prominent|bulky)",
        r"enlargement of the (?:(?:left|right) )?(?:hilum|hila)",
    ),
    "widened mediastinum": (
        r"widened (?:superior )?mediastinum",
        r"(?:mediastinal|mediastinum) widening",
        r"widening of the (?:superior )?mediastinum",
        r"mediastinum (?:is|appears) (?:mildly |markedly )?(?:widened|wide)",
    ),
    "hemidiaphragm elevation": (
        r"elevated (?:(?:left|right) )?(?:hemi-?)?diaphragm",
        r"(?:hemi-?)?diaphragm(?:atic)? elevation",
        r"elevation of the (?:(?:left|right) )?(?:hemi-?)?diaphragm",
        r"(?:hemi-?)?diaphragm (?:is|appears) (?:mildly |markedly )?(?:elevated|raised)",
        r"raised (?:(?:left|right) )?(?:hemi-?)?diaphragm",
    ),
    "pneumothorax": (r"pneumothora(?:x|xes|ces)",),
    "cardiomegaly": (
        r"cardiomegaly",
        r"cardiac enlargement",
        r"enlarged (?:heart|cardiac silhouette)",
        r"enlargement of the (?:heart|cardiac silhouette)",
        r"(?:heart|cardiac silhouette)(?: size)? (?:is|appears) (?:mildly |moderately |severely )?enlarged",
    ),
    "pulmonary edema": (
        r"(?:(?:pulmonary|interstitial|alveolar) )?o?edema",
        r"(?:pulmonary )?vascular congestion",
        r"pulmonary congestion",
    ),
    "emphysema": (r"emphysema", r"emphysematous (?:changes?|lungs?|lung disease)"),
    "pulmonary fibrosis": (
        r"(?:(?:pulmonary|interstitial|lung) )?fibrosis",
        r"fibrotic (?:changes?|lung disease)",
        r"reticular (?:opacity|opacities|changes?|pattern|markings)",
    ),
    "scoliosis": (r"(?:dextro|levo)?scoliosis", r"scoliotic (?:curvature|spine|curve)", r"spinal curvature"),
    "hiatal hernia": (r"hiat(?:al|us) hernias?",),
    "pacemaker": (
        r"(?:cardiac )?pace-?makers?(?: device| generator| leads?)?",
        r"pacing (?:device|leads?|wires?)",
        r"cardiac (?:implantable )?devices?",
    ),
    "endotracheal tube": (r"endotracheal tubes?", r"et tubes?", r"ett"),
    "central venous catheter": (
        r"central (?:venous )?(?:catheters?|lines?)",
        r"(?:ij|internal jugular|subclavian|picc) (?:catheters?|lines?)",
        r"picc",
        r"cvc",
    ),
}
# A statement of the normal: it denies its finding without naming it.
NORMALS: dict[str, tuple[str, ...]] = {
    "cardiomegaly": (
        r"normal (?:heart|cardiac silhouette)(?: size)?",
        r"(?:heart|cardiac silhouette)(?: size)? (?:is|are|appears) (?:normal|not enlarged|within normal limits)",
    ),
    "widened mediastinum": (
        r"normal mediastinum",
        r"mediastinum (?:is|appears) (?:normal|not widened|unremarkable)",
    ),
    "hilar enlargement": (r"normal hila", r"hila (?:are|appear) (?:normal|not enlarged|unremarkable)"),
}
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
    *sorted({severity for kind in BY_NAME.values() for severity in kind.severities}),
    *("mildly", "moderately", "markedly", "severely", "tiny", "trace"),
)
if set(SYNONYMS) != set(LABELS):
    raise RuntimeError(f"lexicon and vocabulary differ: {sorted(set(SYNONYMS) ^ set(LABELS))}")
