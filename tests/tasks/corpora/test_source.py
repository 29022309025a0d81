"""One spelling names a corpus everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.corpora.archives.registry import LAYOUTS
from tasks.corpora.source import (
    ArchiveSource,
    PhantomSource,
    Source,
    SourceUnknown,
    VersionSource,
    parse_source,
)

SPELLINGS: dict[str, Source] = {
    "phantom:a": PhantomSource("a"),
    "nih:/data/nih": ArchiveSource("nih", Path("/data/nih")),
    "folder:films of today": ArchiveSource("folder", Path("films of today")),
    "nih-mini@v1": VersionSource("nih-mini", "v1"),
    "nih-mini@latest/default": VersionSource("nih-mini", "latest", "default"),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_spelling_is_read_and_written_alike(text: str) -> None:
    assert parse_source(text) == SPELLINGS[text]
    assert str(parse_source(text)) == text


def test_every_layout_that_an_audit_reads_is_a_spelling() -> None:
    for layout in (*LAYOUTS, "auto"):
        assert parse_source(f"{layout}:x") == ArchiveSource(layout, Path("x"))


def test_the_home_folder_may_be_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert parse_source("nih:~/nih") == ArchiveSource("nih", Path("/home/ann/nih"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("phantom:z", "phantom:z is no phantom hospital: write one of phantom:a, phantom:b"),
        ("phantom:", "is no phantom hospital"),
        ("nhi:/data", "nhi: is neither phantom: nor a layout of archives (nih, chexpert,"),
        ("mimic-cxr:/data", "mimic-cxr: is neither phantom: nor a layout of archives (nih, chexpert,"),
        ("NIH:/data", "NIH: is neither phantom: nor a layout of archives (nih, chexpert,"),
        ("nih:", "nih: names no folder: write nih:PATH"),
        ("nih-mini", "'nih-mini' is no source: write phantom:a, LAYOUT:PATH"),
        ("nih-mini@", "is no source"),
        ("@v1", "is no source"),
        ("a@b/", "is no source"),
        ("a@b/c/d", "is no source"),
        ("/data/nih", "is no source"),
        ("", "is no source"),
    ],
)
def test_what_is_no_source_is_told_with_the_spellings(text: str, told: str) -> None:
    with pytest.raises(SourceUnknown) as caught:
        parse_source(text)
    assert told in str(caught.value)
