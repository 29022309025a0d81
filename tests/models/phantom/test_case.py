"""Who comes in: the archive of hospital A has a long tail, that of hospital B is nearly flat."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from models.phantom.archive import ARCHIVE_SIZE
from models.phantom.case import EXCLUSIONS, HIDDEN_BY_SPACE, MOST_FINDINGS, Case, draw_case
from models.phantom.defects import DEFECTS
from models.phantom.hospital import COMMON_TO_RARE, HOSPITAL_A, HOSPITAL_B, HOSPITALS
from models.phantom.vocabulary import BY_NAME, LABELS

SEED = 7


@pytest.fixture(scope="module")
def archive_a() -> list[Case]:
    return [draw_case(HOSPITAL_A, SEED, index) for index in range(ARCHIVE_SIZE)]


@pytest.fixture(scope="module")
def archive_b() -> list[Case]:
    return [draw_case(HOSPITAL_B, SEED, index) for index in range(4_000)]


def count(cases: list[Case]) -> Counter[str]:
    return Counter(finding.name for case in cases for finding in case.findings)


def test_a_case_depends_on_hospital_seed_and_index_only():
    assert draw_case(HOSPITAL_A, 3, 11) == draw_case(HOSPITAL_A, 3, 11)
    one, other = ([draw_case(HOSPITAL_A, seed, i).findings for i in range(60)] for seed in (3, 4))
    assert one != other
    assert one != [draw_case(HOSPITAL_B, 3, i).findings for i in range(60)]


def test_every_label_has_a_prevalence_in_both_hospitals():
    assert sorted(COMMON_TO_RARE) == sorted(LABELS)
    assert all(set(hospital.prevalence) == set(LABELS) for hospital in HOSPITALS.values())


def test_the_rarest_label_of_a_is_one_in_a_hundred_of_the_commonest(archive_a):
    seen = count(archive_a)
    assert set(seen) == set(LABELS)
    assert min(seen.values()) >= 35
    assert min(seen.values()) <= 0.01 * max(seen.values())


def test_the_tail_of_a_is_long_in_another_archive_too():
    seen = count([draw_case(HOSPITAL_A, SEED + 1, index) for index in range(ARCHIVE_SIZE)])
    assert 35 <= seen["hiatal hernia"] <= 0.01 * seen["pleural effusion"]


def test_nearly_a_third_of_a_is_normal_and_one_in_twenty_is_spoilt(archive_a):
    assert sum(not case.findings for case in archive_a) / ARCHIVE_SIZE == pytest.approx(0.32, abs=0.05)
    spoilt = [case for case in archive_a if case.defect]
    assert len(spoilt) / ARCHIVE_SIZE == pytest.approx(HOSPITAL_A.defect_rate, abs=0.005)
    assert {case.defect for case in spoilt} == set(DEFECTS)


def test_spoilt_films_keep_their_findings(archive_a):
    assert any(case.findings for case in archive_a if case.defect)


def test_b_shows_every_label_and_spoils_nothing(archive_b):
    seen = count(archive_b)
    assert min(seen[label] for label in LABELS) / len(archive_b) >= 0.06
    assert not any(case.defect for case in archive_b)
    assert sum(not case.findings for case in archive_b) / len(archive_b) == pytest.approx(0.2, abs=0.05)


def test_no_case_is_implausible(archive_a, archive_b):
    for case in chain(archive_a, archive_b):
        names = {finding.name for finding in case.findings}
        assert len(case.findings) <= MOST_FINDINGS
        assert not any(one in names and other in names for one, other in EXCLUSIONS)


def test_attributes_are_those_of_the_kind(archive_b):
    for finding in chain.from_iterable(case.findings for case in archive_b):
        kind = BY_NAME[finding.name]
        for value, allowed in (
            (finding.side, kind.sides),
            (finding.zone, kind.zones),
            (finding.severity, kind.severities),
        ):
            assert value in allowed if allowed else value is None


def test_a_lesion_is_not_swallowed_by_a_large_effusion(archive_b):
    for case in archive_b:
        full = {f.side for f in case.findings if f.name == "pleural effusion" and f.severity == "large"}
        air = {f.side for f in case.findings if f.name == "pneumothorax" and f.severity in ("moderate", "large")}
        if len(full | air) == 1:
            assert not any(f.side in full | air for f in case.findings if f.name in HIDDEN_BY_SPACE)
