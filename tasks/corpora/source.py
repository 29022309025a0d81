"""One spelling for a corpus, wherever one is named: in a profile, on the command line, in provenance.

``phantom:a``               a phantom hospital
``nih:/data/nih``           an archive in a folder, by the layout of its tables
``name@version``            a published dataset version; a tag may stand for the version
``name@version/selection``  what a selection keeps of it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from models.phantom.hospital import ARCHIVE_SIZE, HOSPITALS
from storage.layout import plain_name
from tasks.corpora.archives.registry import AUTO, LAYOUTS

PHANTOM = "phantom"
PHANTOM_ARCHIVE = ARCHIVE_SIZE
"""Films in the archive of a phantom hospital."""
_SCHEME = re.compile(r"([A-Za-z][\w.+-]*):(.*)", re.DOTALL)


class SourceUnknown(ValueError):
    """A text is no source; the message states which spellings there are."""


@dataclass(frozen=True, slots=True)
class PhantomSource:
    """A phantom hospital, `a` or `b`."""

    hospital: str

    def __str__(self) -> str:
        return f"{PHANTOM}:{self.hospital}"


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """An archive of real films in a folder; `layout` is one of `LAYOUTS`, or ``auto``."""

    layout: str
    path: Path

    def __str__(self) -> str:
        return f"{self.layout}:{self.path}"


@dataclass(frozen=True, slots=True)
class VersionSource:
    """A published dataset version by its name and version or tag; of a selection only what it keeps."""

    name: str
    version: str
    selection: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" + (f"/{self.selection}" if self.selection else "")


Source = PhantomSource | ArchiveSource | VersionSource


def parse_source(text: str) -> Source:
    """The source that `text` spells; nothing is opened, and a folder may be missing.

    Raises:
        SourceUnknown: it is none of the spellings, or names no hospital.
    """
    scheme = _SCHEME.fullmatch(text)
    if scheme is not None:
        return _with_scheme(scheme[1], scheme[2])
    name, at, rest = text.partition("@")
    version, _, selection = rest.partition("/")
    parts = [name, version, *([selection] if "/" in rest else [])]
    if not at or not all(map(plain_name, parts)):
        raise SourceUnknown(f"{text!r} is no source: write {_spellings()}")
    return VersionSource(name, version, selection or None)


def has_scheme(text: str) -> bool:
    """Whether `text` begins as LAYOUT:PATH does, with a layout that may be unknown."""
    return _SCHEME.fullmatch(text) is not None


def _with_scheme(scheme: str, rest: str) -> Source:
    if scheme == PHANTOM:
        if rest not in HOSPITALS:
            known = ", ".join(f"{PHANTOM}:{name}" for name in HOSPITALS)
            raise SourceUnknown(f"{PHANTOM}:{rest} is no phantom hospital: write one of {known}")
        return PhantomSource(rest)
    if scheme not in (AUTO, *LAYOUTS):
        raise SourceUnknown(
            f"{scheme}: is neither phantom: nor a layout of archives ({', '.join((*LAYOUTS, AUTO))}): "
            f"write {_spellings()}"
        )
    if not rest.strip():
        raise SourceUnknown(f"{scheme}: names no folder: write {scheme}:PATH")
    return ArchiveSource(scheme, Path(rest).expanduser())


def _spellings() -> str:
    return "phantom:a, LAYOUT:PATH such as nih:/data/nih, NAME@VERSION or NAME@VERSION/SELECTION"
