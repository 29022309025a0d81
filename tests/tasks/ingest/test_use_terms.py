"""Terms of use that go into manifest and card."""

from __future__ import annotations

import re

import pytest

from models.findings.label_sets import load
from tasks.corpora.archives.registry import FOLDER, LAYOUTS
from tasks.ingest.use_terms import TERMS, terms_of

PUBLIC = [name for name in LAYOUTS if name != FOLDER]


@pytest.mark.parametrize("layout", PUBLIC)
def test_every_public_archive_has_terms_with_a_page_and_a_label_set(layout: str) -> None:
    terms = TERMS[layout]
    assert re.fullmatch(r"LicenseRef-[\w.-]+|CC-[A-Z-]+-4\.0", terms.licence)
    assert re.search(r"https://\S+", terms.agreement)
    assert load(terms.label_set).labels


def test_only_archives_that_are_signed_for_are_under_an_agreement() -> None:
    assert {name for name, terms in TERMS.items() if terms.credentialed} == {
        "chexpert",
        "mimic",
        "ms_cxr",
        "padchest",
        "vindr",
    }


def test_of_a_plain_folder_nothing_is_claimed() -> None:
    own = terms_of(FOLDER)
    assert (own.licence, own.label_set, own.credentialed) == ("unknown", "", False)
    assert "find out under which terms" in own.agreement
