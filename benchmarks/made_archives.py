"""Archives with as many table rows as the real ones, whose films are links to a few small files."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from models.phantom.archive import films
from models.phantom.hospital import HOSPITALS
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS

ROWS: Mapping[str, int] = {"chexpert": 224_316, "mimic": 377_110, "padchest": 160_868}
"""Films in the release of each layout."""
DISTINCT, LINKS = 16, 20_000
"""Different films, and links to one file at most: file systems have a limit."""
REPORT = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old with shortness of breath.

 COMPARISON:  ___.

 FINDINGS:

 The lungs are clear of focal consolidation, pleural effusion or pneumothorax {0}. The heart is normal in size. The
 mediastinal contours are normal. Multiple surgical clips project over the left breast.

 IMPRESSION:

 No acute cardiopulmonary process, study {0}.
"""
_METADATA = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime",
)  # fmt: skip
_PADCHEST = (
    "", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM",
    "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric", "ReportID", "Report", "MethodLabel", "Labels",
    "Localizations", "labelCUIS",
)  # fmt: skip
_SPANISH = "('pleural effusion', 'costophrenic angle blunting')", "('normal',)", "('cardiomegaly', 'unchanged')"


def write_archive(root: Path, layout: str, rows: int) -> Path:
    """An archive in one of the layouts of `ROWS`, with `rows` films of about a third as many patients."""
    writer: Callable[[Path, int], None] = {"chexpert": _chexpert, "mimic": _mimic, "padchest": _padchest}[layout]
    root.mkdir(parents=True)
    writer(root, rows)
    return root


class _Links:
    """Gives files of a few contents, each a hard link."""

    def __init__(self, folder: Path, contents: Sequence[bytes], ending: str) -> None:
        folder.mkdir(parents=True)
        self._folder, self._contents, self._ending = folder, contents, ending
        self._given = 0
        self._made: set[Path] = set()

    def put(self, path: Path) -> None:
        """One more file at `path`, whose folder is there."""
        kind, copy = self._given % len(self._contents), self._given // (len(self._contents) * LINKS)
        source = self._folder / f"{kind}-{copy}{self._ending}"
        if source not in self._made:
            source.write_bytes(self._contents[kind])
            self._made.add(source)
        os.link(source, path)
        self._given += 1


def _pictures(root: Path, ending: str, deep: bool = False) -> _Links:
    """Films of the phantom, 320 pixels wide, with 8 or 16 bits; their originals lie beside the archive."""
    contents: list[bytes] = []
    path = root.parent / f"film{ending}"
    for film in films(HOSPITALS["a"], 1, range(DISTINCT), 320):
        pixels = film.image.astype(np.uint16) * 257 if deep else film.image
        Image.fromarray(pixels).save(path)
        contents.append(path.read_bytes())
    path.unlink()
    return _Links(root.parent / f"{root.name}-films", contents, ending)


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with gzip.open(path, "wt", 1, newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _marks(count: int) -> Iterator[list[str]]:
    """Cells of fourteen observations, most of them blank as in the release."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        yield rng.choice(["", "1.0", "0.0", "-1.0"], len(OBSERVATIONS), p=(0.75, 0.14, 0.07, 0.04)).tolist()


def _chexpert(root: Path, count: int) -> None:
    links = _pictures(root, ".jpg")

    def rows() -> Iterator[list[object]]:
        for at, marks in enumerate(_marks(count)):
            lateral = at % 7 == 6
            folder = f"train/patient{at // 3 + 1:05d}/study{at % 3 + 1}"
            name = f"{folder}/view1_{'lateral' if lateral else 'frontal'}.jpg"
            (root / folder).mkdir(parents=True)
            links.put(root / name)
            side = ("Lateral", "") if lateral else ("Frontal", ("AP", "PA")[at % 2])
            yield [f"CheXpert-v1.0-small/{name}", ("Male", "Female")[at // 3 % 2], 18 + at // 3 % 72, *side, *marks]

    _table(root / "train.csv", ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS), rows())


def _mimic(root: Path, count: int) -> None:
    links = _pictures(root, ".jpg")
    texts = _Links(
        root.parent / f"{root.name}-reports", [REPORT.format(at).encode() for at in range(DISTINCT)], ".txt"
    )
    studies = -(-count * 3 // 5)  # of a release with 377,110 films there are 227,835

    def films_of() -> Iterator[tuple[str, int, int]]:
        return ((f"{at:08x}-{at * 7919 % 65536:04x}-4abc", at * 3 // 5, at * 3 // 20) for at in range(count))

    def metadata() -> Iterator[list[object]]:
        for at, (film, study, patient) in enumerate(films_of()):
            number = 10_000_000 + patient
            folder = root / f"files/p{number // 1_000_000}/p{number}"
            here = folder / f"s{50_000_000 + study}"
            if not here.exists():
                here.mkdir(parents=True)
                texts.put(here.with_suffix(".txt"))
            links.put(here / f"{film}.jpg")
            view = ("PA", "LATERAL", "AP")[at % 3]
            yield [film, number, 50_000_000 + study, "CHEST (PA AND LAT)", view, 2544, 3056, 21_800_506, 213_014.531]

    _table(root / "mimic-cxr-2.0.0-metadata.csv.gz", _METADATA, metadata())
    split = ([film, 50_000_000 + study, 10_000_000 + who, "train"] for film, study, who in films_of())
    _table(root / "mimic-cxr-2.0.0-split.csv.gz", ("dicom_id", "study_id", "subject_id", "split"), split)
    labels = ([10_000_000 + at // 4, 50_000_000 + at, *own] for at, own in enumerate(_marks(studies)))
    _table(root / "mimic-cxr-2.0.0-chexpert.csv.gz", ("subject_id", "study_id", *OBSERVATIONS), labels)


def _padchest(root: Path, count: int) -> None:
    links = _pictures(root, ".png", deep=True)
    for folder in range(51):
        (root / str(folder)).mkdir()

    def rows() -> Iterator[list[object]]:
        for at in range(count):
            name = f"{at:039d}_{at * 7919 % 10**6:06d}.png"
            links.put(root / f"{at % 51}/{name}")
            labels = _SPANISH[at % 3].replace("(", "[").replace(",)", "]").replace(")", "]")
            yield [
                at, name, at % 51, 20_140_915 + at % 10, f"{at:039d}", f"{at // 2:039d}", 1930 + at % 60, "FM"[at % 2],
                "POSTEROANTERIOR", ("PA", "L", "AP_horizontal")[at % 3], "Manual review of DICOM fields", "No",
                4_000_000 + at, f"sin hallazg patolog relev derram pleural izquierd {at}",
                ("Physician", "RNN_model")[at % 4 > 0], labels, "[['loc right']]", "['C0032227']",
            ]  # fmt: skip

    _table(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", _PADCHEST, rows())
