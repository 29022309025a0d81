"""Render a case: pixels, labels, boxes, masks and report."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from models.phantom.body import Chest, build, draw_body
from models.phantom.canvas import Canvas
from models.phantom.case import Case
from models.phantom.defects import apply_defect
from models.phantom.devices import DEVICE_PAINTERS
from models.phantom.dice import between, chance
from models.phantom.hospital import HOSPITALS
from models.phantom.lesions import PAINTERS
from models.phantom.report import mentions_of, write_report
from models.phantom.vocabulary import LABELS, Finding

Box = tuple[int, int, int, int]
_ORDER = {name: at for at, name in enumerate((*PAINTERS, *DEVICE_PAINTERS))}


@dataclass(frozen=True, slots=True)
class Film:
    """One film with its truth.

    Args:
        image: (H, W) uint8.
        labels: (len(LABELS),) uint8, 1 where the finding is there.
        findings: with their attributes.
        boxes: label to (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.
        masks: label to (H, W) bool; empty where they were not asked for.
        view: ``PA``, ``AP``, or ``lateral`` for that defect.
        defect: what is wrong with the film, or None.
        findings_text, impression_text: the report.
    """

    image: np.ndarray
    labels: np.ndarray
    findings: tuple[Finding, ...]
    boxes: dict[str, list[Box]]
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    view: str = "PA"
    defect: str | None = None
    findings_text: str = ""
    impression_text: str = ""


def render(case: Case, size: int = 128, masks: bool = True) -> Film:
    """Render a case, a pure function of it and `size`; a defect spoils the pixels and nothing else."""
    body = draw_body(case)
    chest = build(case, body, size)
    painted = _paint(chest, case)
    image = expose(chest.density, chest, case)
    if case.defect is not None:
        image = apply_defect(image, case.defect, case.rng("defect"))
    labels = np.zeros(len(LABELS), np.uint8)
    for finding in case.findings:
        labels[LABELS.index(finding.name)] = 1
    findings_text, impression_text = write_report(mentions_of(case.findings, case.rng("mentions")), case.rng("report"))
    view = "lateral" if case.defect == "lateral" else "AP" if body.portable else "PA"
    held = {name: mask > 0.35 for name, mask in painted.items()} if masks else {}
    return Film(
        image=image, labels=labels, findings=case.findings, boxes={n: boxes_of(m) for n, m in held.items()}, masks=held,
        view=view, defect=case.defect, findings_text=findings_text, impression_text=impression_text,
    )  # fmt: skip


def _paint(chest: Chest, case: Case) -> dict[str, np.ndarray]:
    """Add every finding to the chest's density; masks by label."""
    found: dict[str, np.ndarray] = {}
    for finding in sorted(case.findings, key=lambda item: _ORDER[item.name]):
        painter = PAINTERS.get(finding.name) or DEVICE_PAINTERS[finding.name]
        added, mask = painter(chest, finding, case.rng(f"paint {finding.name}"))
        np.add(chest.density, added.astype(np.float32), out=chest.density)
        found[finding.name] = mask
    return found


def expose(density: np.ndarray, chest: Chest, case: Case) -> np.ndarray:
    """What the hospital's machine makes of it, (H, W) uint8."""
    look, rng, canvas = HOSPITALS[case.hospital].appearance, case.rng("exposure"), chest.canvas
    blur = between(rng, look.blur) * canvas.scale
    soft = cv2.GaussianBlur(density, (0, 0), blur) if blur > 0.15 else density
    soft = soft + between(rng, look.edge) * (soft - cv2.GaussianBlur(soft, (0, 0), 1.6 * canvas.scale))
    centre, slope = between(rng, look.centre) - 0.52, between(rng, look.contrast) * 1.75
    grey = 1.0 / (1.0 + np.exp(-slope * (soft - centre)))
    grey = grey ** between(rng, look.gamma)
    radius = np.hypot(canvas.x - 64, canvas.y - 64) / 90
    grey = grey * (1.0 - between(rng, look.vignette) * radius**2)
    grain = rng.standard_normal(grey.shape, dtype=np.float32) * between(rng, look.noise)
    grey = grey + (grain + canvas.noise(rng, 2.5) * between(rng, look.mottle)) * (0.4 + chest.inside)
    grey = _marked(grey, canvas, look.marker, look.marker_boxed, chance(rng, look.marker_rate), rng)
    floor, ceiling = between(rng, look.fog), between(rng, look.ceiling)
    grey = floor + (ceiling - floor) * np.clip(grey, 0, 1)
    if chance(rng, look.collimated):
        rim = int(round(between(rng, look.rim) * canvas.scale))
        frame = np.zeros_like(grey)
        frame[rim : grey.shape[0] - rim, rim : grey.shape[1] - rim] = 1
        grey = grey * frame
    return np.clip(np.round(grey * 255), 0, 255).astype(np.uint8)


def _marked(
    grey: np.ndarray, canvas: Canvas, letter: str, boxed: bool, there: bool, rng: np.random.Generator
) -> np.ndarray:
    """The side marker: ``L`` lies at the patient's left, the image's right."""
    if not there:
        return grey
    size = canvas.size
    x = int((112 if letter == "L" else 6) * canvas.scale + rng.uniform(-2, 2))
    y = int(rng.uniform(12, 18) * canvas.scale)
    plate = np.zeros((size, size), np.uint8)
    cv2.putText(
        plate,
        letter,
        (x, y),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.34 * canvas.scale,
        255,
        max(1, round(canvas.scale)),
        cv2.LINE_AA,
    )
    if boxed:
        far = int(9 * canvas.scale)
        cv2.rectangle(plate, (x - 2, y - far), (x + far, y + 2), 200, 1, cv2.LINE_AA)
    return np.maximum(grey, plate.astype(np.float32) * np.float32(0.95 / 255))


def boxes_of(mask: np.ndarray) -> list[Box]:
    """One box per connected part of at least 4 pixels, largest first."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    parts = sorted((stats[n] for n in range(1, count) if stats[n][4] >= 4), key=lambda part: -part[4])
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in parts]
