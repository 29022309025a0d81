"""Texts that the text tower learns from say what they stand for."""

from __future__ import annotations

import numpy as np

from models.build.wording import plain_impression, random_findings, writer
from models.findings.recogniser import mentions
from models.phantom.vocabulary import Finding


def test_plain_impressions_say_what_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        findings = random_findings(rng)
        said = {found.label for found in mentions(plain_impression(findings, rng)) if found.present}
        assert said == {finding.name for finding in findings}


def test_the_writer_is_a_function_of_the_number() -> None:
    write = writer([("Scoliosis.", (Finding("scoliosis"),))])
    assert [write(i) for i in range(20)] == [write(i) for i in range(20)]
    assert len({write(i)[0] for i in range(50)}) > 20
