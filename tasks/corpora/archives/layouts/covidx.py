"""COVIDx: lists without a header, a film on each line: patient, file, class and, in most versions, source.

``train.txt``, ``val.txt`` and ``test.txt`` as on Kaggle, or ``train_COVIDx9B.txt`` as in the repository of COVID-Net.
A patient's id may hold a blank, some versions lack the source, and columns stand in another order in others, so the
words of a line are told by what they are. Lists of three classes and of two may lie side by side: their labels are
joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import IMAGES, ImageFiles
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.tables import Row, find_tables, read_list

SPLITS = ("test", "val", "train")
"""A film that several lists name is in the first of these."""
TABLES = tuple(f"{split}{end}" for split in SPLITS for end in (".txt", "_covidx*.txt"))
READS = TABLES
LOOKS_FOR = "train.txt, val.txt, test.txt or *_COVIDx*.txt with lines such as: PATIENT FILE.png positive SOURCE"
NEED = ("patient_id", "filename", "class", "data_source")
COVID, PNEUMONIA, NONE = "COVID-19", "Pneumonia", "No Finding"
CLASSES: Mapping[str, Mapping[str, int]] = {
    "positive": {COVID: 1},
    "negative": {COVID: 0},
    "covid-19": {COVID: 1, PNEUMONIA: 0, NONE: 0},
    "pneumonia": {COVID: 0, PNEUMONIA: 1, NONE: 0},
    "normal": {COVID: 0, PNEUMONIA: 0, NONE: 1},
}
_MISSPELT = {"rnsa": "rsna"}


@dataclass(frozen=True, slots=True)
class Line:
    """One film of a list."""

    file: str
    patient: str
    labels: Mapping[str, int]
    source: str | None


def find(root: Path) -> bool:
    """There is a list whose first line names a file and a class."""
    return any(_is_list(path) for path in find_tables(root, *TABLES))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every film of the lists once, those of the test lists first."""
    lists = [path for path in find_tables(root, *TABLES) if _is_list(path)]
    if not lists:
        raise ArchiveError(f"{root} is no COVIDx: looked for {LOOKS_FOR}")
    images = ImageFiles(root)
    lines: dict[str, tuple[str, Path, Line]] = {}
    for table in sorted(lists, key=lambda path: (SPLITS.index(split_of(path)), path)):
        split = split_of(table)
        for row in read_list(table, notes):
            line = line_of(row)
            first, _, before = lines.setdefault(line.file, (split, table, line))
            notes[f"films of a {first} list that a {split} list names too"] += first != split
            if before is not line:
                lines[line.file] = (*lines[line.file][:2], _joined(before, line, notes))
    for name, (split, table, line) in lines.items():
        place, elsewhere = table.parent / split / name, images.find(name)
        yield ArchiveFilm(
            name,
            elsewhere if elsewhere.is_file() and not place.is_file() else place,
            patient=line.patient or None,
            labels=dict(line.labels),
            split=split,
            labelled_by=line.source,
        )


def split_of(table: Path) -> str:
    """The split that a list is named for."""
    return next(split for split in SPLITS if table.name.lower().startswith(split))


def line_of(row: Row) -> Line:
    """A line by its words: the class, the file, the source where one stands at the end, and the patient.

    A patient who is a mere number gets a prefix: other archives number theirs too.

    Raises:
        ArchiveError: there is no file, or no class.
    """
    words = row["id"].split()
    kinds = [at for at, word in enumerate(words) if word.casefold() in CLASSES]
    files = [at for at, word in enumerate(words) if word.lower().endswith(IMAGES)]
    if not kinds or not files:
        raise ArchiveError(f"{row.where}: {row['id'][:80]!r} is no line of COVIDx: {LOOKS_FOR}")
    kind, file = kinds[-1], files[-1]
    others = [word for at, word in enumerate(words) if at not in (kind, file)]
    last = others.pop().lower() if len(others) > 1 and len(words) - 1 not in (kind, file) else None
    patient = "_".join(others)
    return Line(
        file=words[file],
        patient=f"covidx-{patient}" if patient.isdigit() else patient,
        labels=CLASSES[words[kind].casefold()],
        source=_MISSPELT.get(last, last) if last else None,
    )


def _is_list(path: Path) -> bool:
    row = next(read_list(path, Counter()), None)
    if row is None:
        return False
    words = [word.casefold() for word in row["id"].split()]
    return len(words) > 2 and any(word in CLASSES for word in words) and any(w.endswith(IMAGES) for w in words)


def _joined(before: Line, line: Line, notes: Counter[str]) -> Line:
    """The labels of two lines on one film; where they differ the earlier one counts."""
    differ = any(before.labels.get(name, mark) != mark for name, mark in line.labels.items())
    if differ:
        notes[f"lines that say otherwise than one before of the same film, such as {line.file}; the first counts"] += 1
        return before
    return Line(before.file, before.patient, {**line.labels, **before.labels}, before.source or line.source)
