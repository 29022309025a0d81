"""Render a film: a case becomes an image with exact truth and a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from models.phantom import devices, diffuse, lesions
from models.phantom.anatomy import Scene, draw_anatomy
from models.phantom.body import shape_body
from models.phantom.canvas import Canvas
from models.phantom.case import Case
from models.phantom.defects import apply_defect
from models.phantom.exposure import expose
from models.phantom.hospital import HOSPITALS
from models.phantom.report import mentions_of, write_report
from models.phantom.rng import chance
from models.phantom.vocabulary import LABELS, Finding

Box = tuple[int, int, int, int]
DrawFinding = Callable[[Scene, Finding, np.random.Generator], list[np.ndarray]]
MASK_LEVEL = 0.3

# In the order of painting: what changes the lung first, what lies on top of it last.
DRAWING: dict[str, DrawFinding] = {
    "emphysema": diffuse.paint_emphysema,
    "pulmonary fibrosis": diffuse.paint_fibrosis,
    "pulmonary edema": diffuse.paint_edema,
    "consolidation": lesions.paint_consolidation,
    "atelectasis": lesions.paint_atelectasis,
    "lung mass": lesions.paint_mass,
    "lung nodule": lesions.paint_nodule,
    "hilar enlargement": lesions.paint_hilum,
    "pneumothorax": diffuse.paint_pneumothorax,
    "pleural effusion": lesions.paint_effusion,
    "cardiomegaly": lesions.paint_geometry,
    "widened mediastinum": lesions.paint_geometry,
    "hemidiaphragm elevation": lesions.paint_geometry,
    "scoliosis": lesions.paint_geometry,
    "hiatal hernia": lesions.paint_hernia,
    "pacemaker": devices.paint_pacemaker,
    "central venous catheter": devices.paint_catheter,
    "endotracheal tube": devices.paint_tube,
}


@dataclass(frozen=True, slots=True)
class Film:
    """One film with its truth. Boxes are x0, y0, x1, y1 in pixels, ends excluded.

    Boxes and masks are those of the film before a defect struck it.
    """

    image: np.ndarray
    labels: np.ndarray
    findings: tuple[Finding, ...]
    boxes: dict[str, list[Box]]
    masks: dict[str, np.ndarray]
    view: str
    defect: str | None
    findings_text: str
    impression_text: str


def render(case: Case, size: int = 128, masks: bool = True) -> Film:
    """The film of `case`; a pure function of its arguments. Without `masks` boxes are left out too."""
    image, areas, view = draw_film(case, size)
    if case.defect:
        image = apply_defect(image, case.defect, case.rng("defect"))
    rng = case.rng("report")
    findings_text, impression_text = write_report(mentions_of(case.findings, rng), rng)
    truth = {label: [area > MASK_LEVEL for area in parts] for label, parts in areas.items()} if masks else {}
    return Film(
        image=image,
        labels=label_vector(case.findings),
        findings=case.findings,
        boxes={label: [box for part in parts if (box := _box(part))] for label, parts in truth.items()},
        masks={label: np.any(parts, axis=0) for label, parts in truth.items()},
        view="lateral" if case.defect == "lateral" else view,
        defect=case.defect,
        findings_text=findings_text,
        impression_text=impression_text,
    )


def draw_film(case: Case, size: int) -> tuple[np.ndarray, dict[str, list[np.ndarray]], str]:
    """The sound film of `case`, the soft areas of its findings, and its view."""
    look = HOSPITALS[case.hospital].appearance
    body = shape_body(case.rng("body"), look, case.findings)
    canvas = Canvas(size, body.pose)
    scene = draw_anatomy(canvas, body, case.rng("anatomy"))
    order = list(DRAWING)
    for finding in sorted(case.findings, key=lambda each: order.index(each.name)):
        parts = DRAWING[finding.name](scene, finding, case.rng(finding.name))
        scene.marks.setdefault(finding.name, []).extend(parts)
    rng = case.rng("exposure")
    view = "AP" if chance(rng, look.portable) else "PA"
    return expose(canvas, scene.thickness(), look, rng, view), scene.marks, view


def label_vector(findings: tuple[Finding, ...]) -> np.ndarray:
    """1 for every label present, in the order of `LABELS`."""
    present = {finding.name for finding in findings}
    return np.array([label in present for label in LABELS], dtype=np.uint8)


def _box(mask: np.ndarray) -> Box | None:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return (x, y, x + width, y + height) if width and height else None
