"""The lists and tables that an archive was read by, each with its SHA-256, against those that were published.

A release is judged where a hash or a number of entries is published for it; of all others the hash is recorded alone.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.records import Record
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.tables import find_tables

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """What is published of one file.

    Args:
        source: where.
        entries: films, studies or rows in it; None where they are not told.
        sha256: of the file, unpacked; empty where no hash is published.
    """

    source: str
    entries: int | None = None
    sha256: str = ""


_COVIDX = "https://github.com/lindawangg/COVID-Net at 65998065"
_NIH = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
_COVIDX_TEST_A = "048629233e9426f1b42ce1d86e898bdb1691ff8544d81fa44b1d6a3657d88871"
_COVIDX_TEST_B = "7c92ae0bef49652005e1541a1f2b774e313be4431a891cb0aa5539d37ca2a71e"
PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "nih": {
        **dict.fromkeys(("train_val_list.txt", "train_val_list_nih.txt"), Published(_NIH, 86_524)),
        **dict.fromkeys(("test_list.txt", "test_list_nih.txt"), Published(_NIH, 25_596)),
    },
    "chexpert": {
        "groundtruth.csv": Published(
            "https://github.com/rajpurkarlab/cheXpert-test-set-labels at a930205d", 500,
            "307325997d3260cf2a08b7d6314bb5707391fa255cf83cd9427f6d49b15867c0",
        ),
    },
    "mimic": {
        "mimic-cxr-2.0.0-split.csv": Published("https://physionet.org/content/mimic-cxr-jpg/", 377_110),
        "mimic-cxr-2.0.0-metadata.csv": Published("https://physionet.org/content/mimic-cxr-jpg/", 377_110),
    },
    "vindr": {"image_labels_test.csv": Published("https://physionet.org/content/vindr-cxr/", 3_000)},
    "covidx": {
        "test_covidx8a.txt": Published(_COVIDX, 400, _COVIDX_TEST_A),
        "test_covidx8b.txt": Published(_COVIDX, 400, _COVIDX_TEST_B),
        "test_covidx9a.txt": Published(_COVIDX, 400, _COVIDX_TEST_A),
        "test_covidx9b.txt": Published(_COVIDX, 400, _COVIDX_TEST_B),
        "train_covidx9a.txt": Published(
            _COVIDX, 30_130, "059ae9b3b6dce1c60b902c873482ad4bbac548549251a454b38772e9bc8a75da"
        ),
        "train_covidx9b.txt": Published(
            _COVIDX, 30_482, "cbc54997e1836786f189b11657411364d295e39e581ea774e223c7376cc7bbc1"
        ),
    },
}  # fmt: skip
"""By layout and the file's name in lower case, without ``.gz``."""


class ListFile(Record):
    """One list or table of an archive.

    Args:
        file: its place in the archive.
        sha256: of its bytes, unpacked.
        entries: lines that are not blank, but for the header of a table.
        published: where figures of it are published; empty where none are known here.
        differs: in what the file is another than the published one; empty where it is not, or nothing is published.
    """

    file: str
    sha256: str
    entries: int
    published: str = ""
    differs: str = ""


def list_files(root: Path, layout: str, patterns: tuple[str, ...]) -> tuple[ListFile, ...]:
    """The files that a layout reads, in order of their paths.

    Args:
        root: the archive.
        layout: by which it is read.
        patterns: of their names.

    Raises:
        ArchiveError: a file is damaged.
    """
    known = PUBLISHED.get(layout, {})
    return tuple(_described(path, root, known) for path in find_tables(root, *patterns))


def _described(path: Path, root: Path, known: Mapping[str, Published]) -> ListFile:
    digest, lines = hashlib.sha256(), 0
    for line in _lines(path):
        digest.update(line)
        lines += bool(line.strip())
    name = path.name.lower().removesuffix(".gz")
    published = known.get(name)
    found = ListFile(
        file=path.relative_to(root).as_posix(),
        sha256=digest.hexdigest(),
        entries=max(0, lines - (not name.endswith(".txt"))),
        published=published.source if published else "",
    )
    return found.model_copy(update={"differs": _difference(found, published)}) if published else found


def _difference(found: ListFile, published: Published) -> str:
    """The hash decides where it is known."""
    if published.entries is not None and found.entries != published.entries:
        return f"{found.entries} entries, published are {published.entries}"
    if published.sha256 and found.sha256 != published.sha256:
        return f"SHA-256 {found.sha256[:12]}, published is {published.sha256[:12]}"
    return ""


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield from iter(lambda: file.readline(_CHUNK), b"")
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{path} cannot be read ({error}): get it anew") from error
