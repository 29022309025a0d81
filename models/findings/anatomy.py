"""Places of the chest in report text: runs of side, position and organ words around one organ."""

from __future__ import annotations

from collections.abc import Iterator

from models.findings.tokens import bag

ABBREVIATIONS = {
    "rul": "right upper lobe", "rml": "right middle lobe", "rll": "right lower lobe", "lul": "left upper lobe",
    "lll": "left lower lobe", "svc": "superior vena cava", "ivc": "inferior vena cava", "cp": "costophrenic",
    "ra": "right atrium", "ge": "gastroesophageal",
}  # fmt: skip
SIDES = frozenset({"left", "right", "bilateral"})
POSITIONS = bag(
    """
    upper middle mid lower apical basal basilar anterior posterior lateral medial superior inferior peripheral
    central distal proximal retrocardiac perihilar lingular
    """
)
_ADJECTIVES = bag(
    """
    pulmonary pleural cardiac cardiomediastinal mediastinal hilar aortic aorta thoracic tracheal costophrenic
    cardiophrenic costovertebral vertebral diaphragmatic lung rib chest soft bony osseous internal jugular
    vena brachiocephalic subclavian cavoatrial gastroesophageal paratracheal pulmonic lumbar cervical upper
    clavicular acromioclavicular
    """
)
ORGANS = bag(
    """
    lung lobe zone base apex hilum heart mediastinum diaphragm hemidiaphragm rib spine clavicle aorta trachea
    carina pleura sternum scapula humerus shoulder bronchus lingula hemithorax thorax stomach abdomen vertebra
    fissure atrium ventricle parenchyma vasculature esophagus costovertebral bone thyroid axilla airway
    silhouette contour angle arch knob artery vein cava vessel field wall cavity border recess sulcus cage
    space tissue body junction
    """
)
_NEED_ADJECTIVE = bag(
    """
    silhouette contour angle arch knob artery vein cava vessel field wall cavity border recess sulcus cage
    space tissue body base apex zone lobe junction
    """
)


def places(tokens: list[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Every place in a sentence's words as its normalised name, with its first and one-past-last word."""
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and _belongs(tokens[end][0]) and (end == at or _adjacent(tokens, end)):
            end += 1
            if tokens[end - 1][0] in ORGANS and (end == len(tokens) or tokens[end][0] not in ORGANS):
                break
        run = [ABBREVIATIONS.get(word, word) for word, _, _ in tokens[at:end]]
        name = " ".join(run)
        if run and _is_place(name.split()):
            yield name, at, end
        at = max(end, at + 1)


def _belongs(word: str) -> bool:
    return word in SIDES or word in POSITIONS or word in _ADJECTIVES or word in ORGANS or word in ABBREVIATIONS


def _adjacent(tokens: list[tuple[str, int, int]], at: int) -> bool:
    return tokens[at][1] - tokens[at - 1][2] <= 1


def _is_place(run: list[str]) -> bool:
    if run[-1] not in ORGANS:
        return False
    return run[-1] not in _NEED_ADJECTIVE or len(run) > 1
