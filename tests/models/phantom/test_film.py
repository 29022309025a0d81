"""A film shows what its labels say, where its masks and boxes say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.findings.label_sets import Label
from models.phantom.case import Case, draw_case
from models.phantom.film import DRAWING, render
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B
from models.phantom.vocabulary import KINDS, LABELS, Finding

DIFFUSE = {"pulmonary edema", "emphysema", "pulmonary fibrosis"}


def examples(kind: Label) -> list[Finding]:
    """One finding for each grade and, in turn, each side and zone."""
    grades, sides, zones = kind.severities or (None,), kind.sides or (None,), kind.zones or (None,)
    many = max(len(grades), len(sides), len(zones))
    return [
        Finding(kind.name, sides[at % len(sides)], zones[at % len(zones)], grades[at % len(grades)])
        for at in range(many)
    ]


def test_a_film_is_a_pure_function_of_its_case():
    case = draw_case(HOSPITAL_A, 5, 12)
    one, other = render(case), render(case)
    assert np.array_equal(one.image, other.image)
    assert (one.findings_text, one.impression_text, one.boxes) == (
        other.findings_text,
        other.impression_text,
        other.boxes,
    )


@pytest.mark.parametrize("size", [96, 128, 256])
def test_a_film_has_the_size_asked_for(size):
    film = render(Case("a", 1, 1, (Finding("lung mass", "left", "mid zone"),)), size)
    assert film.image.shape == (size, size)
    assert film.image.dtype == np.uint8
    assert film.masks["lung mass"].shape == (size, size)


def test_every_label_has_a_painter():
    assert set(DRAWING) == set(LABELS)


@pytest.mark.parametrize("hospital", ["a", "b"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_finding_changes_the_film_where_its_mask_says(kind, hospital):
    for index, finding in enumerate(examples(kind)):
        case = Case(hospital, 2, index, (finding,))
        film, without = render(case), render(replace(case, findings=()))
        mask = film.masks[kind.name]
        change = np.abs(film.image.astype(int) - without.image)
        assert mask.any()
        assert change[mask].mean() > 6  # of 255; the grain is the same in both
        assert change[mask].mean() > 2 * change[~mask].mean() or kind.name in DIFFUSE


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.sides and not kind.device], ids=lambda kind: kind.name
)
def test_the_patients_right_is_on_the_left_of_the_film(kind):
    for side, on_the_left in (("right", True), ("left", False)):
        found = [x for i in range(4) for _, x in np.argwhere(
            render(Case("a", 4, i, (replace(examples(kind)[0], side=side),))).masks[kind.name])]  # fmt: skip
        assert (np.mean(found) < 64) == on_the_left


@pytest.mark.parametrize("index", range(12))
def test_labels_masks_and_boxes_agree(index):
    film = render(draw_case(HOSPITAL_B, 9, index))
    named = {finding.name for finding in film.findings}
    assert {label for label, there in zip(LABELS, film.labels, strict=True) if there} == named
    assert set(film.masks) == set(film.boxes) == named
    for label, mask in film.masks.items():
        boxed = np.zeros_like(mask)
        for x0, y0, x1, y1 in film.boxes[label]:
            boxed[y0:y1, x0:x1] = True
        assert film.boxes[label]
        assert not (mask & ~boxed).any()


def test_diffuse_findings_have_a_box_for_each_lung():
    for label in sorted(DIFFUSE):
        film = render(Case("a", 3, 5, (Finding(label, severity="severe"),)))
        assert len(film.boxes[label]) == 2


def test_masks_can_be_left_out_and_change_nothing_else():
    case = draw_case(HOSPITAL_B, 9, 3)
    bare, full = render(case, masks=False), render(case)
    assert bare.masks == {}
    assert bare.boxes == {}
    assert np.array_equal(bare.image, full.image)
    assert bare.impression_text == full.impression_text


def test_severe_cardiomegaly_is_wider_than_mild():
    widths = []
    for grade in ("mild", "moderate", "severe"):
        (box,) = render(Case("a", 6, 2, (Finding("cardiomegaly", severity=grade),))).boxes["cardiomegaly"]
        widths.append(box[2] - box[0])
    assert widths == sorted(set(widths))


def test_a_defect_spoils_the_image_and_keeps_the_rest():
    case = Case("a", 1, 4, (Finding("cardiomegaly", severity="severe"),))
    sound, spoilt = render(case), render(replace(case, defect="inverted"))
    assert spoilt.defect == "inverted"
    assert not np.array_equal(sound.image, spoilt.image)
    assert np.array_equal(sound.labels, spoilt.labels)
    assert (sound.findings_text, sound.impression_text) == (spoilt.findings_text, spoilt.impression_text)
    assert render(replace(case, defect="lateral")).view == "lateral"


def test_hospitals_look_different():
    grain = {}
    for name in ("a", "b"):
        stack = np.stack([render(Case(name, 8, i, ()), masks=False).image for i in range(8)]).astype(float)
        grain[name] = np.abs(np.diff(stack[:, 110:122, 55:75], axis=2)).mean()
    assert grain["b"] > 1.3 * grain["a"]


def test_a_second_finding_does_not_move_the_first():
    edema, nodule = Finding("pulmonary edema", severity="mild"), Finding("lung nodule", "right", "upper zone", "large")
    alone, together = (render(Case("a", 3, 0, both)).boxes["lung nodule"] for both in ((nodule,), (edema, nodule)))
    assert alone == together
