"""Which finding reads as wrong beside which place: what cannot lie there, and what lies on the other side.

A writer joins a finding that needs a place ("pneumothorax") to the places of its report. So a place where it
cannot lie ("rib") stands beside it only if another finding of the report has its place there ("rib fracture",
"osteophyte", "calcification"): without that, the sample asks for a pneumothorax in a rib. To refuse every such
pair would be simpler, and leaves no plan for three places a report: a third of OpenI's places are not in the lung.
A bare bone finding among lung places is let pass: most places of any bank are in the lung.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.contracts import Entity, EntityType
from models.findings.tokens import bag, key

KINDS: Mapping[str, frozenset[str]] = {
    "pleura": bag("pneumothorax hydropneumothorax hydrothorax hemothorax empyema effusion pleural"),
    "lung": bag(
        """
        consolidation consolidative atelectasis atelectatic airspace alveolar infiltrate infiltration pneumonia
        bronchopneumonia pneumonitis aspiration edema emphysema emphysematous fibrosis bronchiectasis interstitial
        reticular reticulonodular bulla bleb pulmonary parenchymal granuloma tuberculosis asthma copd lung
        hyperinflation hyperexpansion congestion
        """
    ),
    "anywhere": bag("mass lesion calcification calcified deformity metastasis malignancy foreign gas surgical clip"),
    "bone": bag(
        "fracture osteophyte spondylosis osteopenia demineralization spurring lytic sclerotic blastic arthritic"
    ),
}
REGIONS: Mapping[str, frozenset[str]] = {
    "soft tissue": bag("soft subcutaneous axilla axillary breast thyroid nipple skin neck"),
    "bone": bag(
        """
        rib clavicle clavicular acromioclavicular scapula sternum sternal manubrium xiphoid humerus humeral shoulder
        spine spinal vertebra vertebral costovertebral bone bony osseous skeleton
        """
    ),
    "abdomen": bag("abdomen abdominal stomach gastric bowel colon liver spleen gallbladder kidney"),
    "heart or vessel": bag(
        """
        heart cardiac pericardial atrium atrial ventricle aorta aortic vena cava artery vein subclavian
        brachiocephalic
        """
    ),
    "airway": bag("trachea tracheal carina bronchus esophagus"),
}


@dataclass(frozen=True, slots=True)
class IncompatiblePlace:
    """A kind of finding that does not lie in a region, and why."""

    kind: str
    region: str
    reason: str


INCOMPATIBLE: tuple[IncompatiblePlace, ...] = (
    IncompatiblePlace("pleura", "bone", "air or fluid of the pleural space is not in a bone"),
    IncompatiblePlace("pleura", "abdomen", "the pleural space ends at the diaphragm"),
    IncompatiblePlace("pleura", "soft tissue", "air or fluid outside the pleural space has another name"),
    IncompatiblePlace("lung", "bone", "a disease of the lung is not in a bone"),
    IncompatiblePlace("lung", "abdomen", "the lung ends at the diaphragm"),
    IncompatiblePlace("lung", "soft tissue", "a disease of the lung is not in the soft tissues around it"),
    IncompatiblePlace(
        "bone", "abdomen", "no bone lies in the upper abdomen of a chest film but the spine and the ribs"
    ),
    IncompatiblePlace("bone", "heart or vessel", "the heart and the vessels hold no bone"),
    IncompatiblePlace("bone", "airway", "the airway holds no bone"),
)
_REASONS = {(item.kind, item.region): item.reason for item in INCOMPATIBLE}
_LEFT, _RIGHT = bag("left lingula lingular"), bag("right azygos")
_KNOWN = frozenset().union(*KINDS.values(), *REGIONS.values(), _LEFT, _RIGHT, bag("chest wall middle lobe bilateral"))


@dataclass(frozen=True, slots=True)
class Setting:
    """The traits of an entity that the rules use.

    Args:
        kind: of a present finding that needs a place, one of `KINDS`.
        within: the region that a finding names itself.
        region: of a place, one of `REGIONS` or ``thorax``.
        side: left, right, or None for both or unknown.
    """

    kind: str | None = None
    within: str | None = None
    region: str | None = None
    side: str | None = None


def known_words(term: str) -> frozenset[str]:
    """The words of a term that decide its setting."""
    return _KNOWN.intersection(key(term))


def setting_of(entity: Entity) -> Setting:
    """The setting of an entity; an empty one fits everything."""
    place, words, sides = entity.type is EntityType.ANATOMY, known_words(entity.term), entity.sides
    region = next((name for name, known in REGIONS.items() if words & known), None)
    region = "soft tissue" if {"chest", "wall"} <= words else region
    if place:
        return Setting(region=region or "thorax", side=_side(sides, words))
    if not entity.present or region is not None:
        return Setting(within=region if entity.present else None)
    kind = next((name for name, known in KINDS.items() if words & known), None)
    return Setting(kind=kind, side=_side(sides, words)) if kind else Setting()


def incompatible(place: Setting, finding: Setting) -> str | None:
    """Why a finding cannot lie in a place; None where it can, or where nothing is known."""
    return _REASONS.get((finding.kind or "", place.region or ""))


def accommodates(place: Setting, finding: Setting) -> bool:
    """Whether a finding has its place in `place`, so that no other needs to go there."""
    return place.region is not None and (
        finding.within == place.region
        or finding.kind == "anywhere"
        or (finding.kind, place.region) == ("bone", "bone")
    )


def other_side(one: Setting, two: Setting) -> str | None:
    """Why a finding and a place, in either order, disagree about the side; None where they do not."""
    finding, place = (one, two) if one.kind else (two, one)
    if finding.kind not in ("lung", "pleura") or place.region != "thorax":
        return None
    if {finding.side, place.side} != {"left", "right"}:
        return None
    return f"the finding is on the {finding.side} and the place on the {place.side}"


def _side(said: tuple[str, ...], words: frozenset[str]) -> str | None:
    sides = set(said)
    if not sides:
        left, right = bool(words & _LEFT), bool(words & _RIGHT) or {"middle", "lobe"} <= words
        sides = {name for name, said in (("left", left), ("right", right)) if said}
        sides |= {"left", "right"} if "bilateral" in words else set()
    return next(iter(sides)) if len(sides) == 1 and sides <= {"left", "right"} else None
