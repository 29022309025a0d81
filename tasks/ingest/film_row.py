"""One film of an archive as the sample of a dataset version, or as a reject with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from storage.layout import DatasetRef
from storage.png import encode_png
from storage.records import Box, PairRow, RejectRow
from storage.shards import Sample, sample_of
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.film import ArchiveFilm, age_in_years, sex_of
from tasks.corpora.archives.image import Film
from tasks.corpora.archives.masks import decode_masks
from tasks.corpora.archives.names import escaped
from tasks.corpora.archives.pixels import read_film
from tasks.corpora.archives.registry import Archive
from tasks.ingest.choice import FilmChoice
from tasks.ingest.label_words import LabelWords
from tasks.ingest.report_text import RULES, ReportText, report_text, text_of_labels
from tasks.ingest.square import Square
from tasks.ingest.use_terms import terms_of
from tasks.recipe.sources import SourceSection

TextFrom = Literal["report", "labels", "none"]
STAGE, READABLE, WHERE = "ingest", "readable", "where"
_ENTITY = "finding"


class FilmRows:
    """Makes samples of an archive's films; it may be called from several threads.

    Args:
        ref: the version, whose name begins the samples' ids.
        archive: where the films are.
        section: how large films become, and whether labels become text.
        choice: which films are taken, also by the facts in their own header.
    """

    def __init__(self, ref: DatasetRef, archive: Archive, section: SourceSection, choice: FilmChoice) -> None:
        self._name = ref.name.replace(".", "-")
        self._archive, self._section, self._choice = archive, section, choice
        self._words = LabelWords(terms_of(archive.layout).label_set)

    def make(self, index: int, film: ArchiveFilm) -> Sample | RejectRow:
        """The sample of the film that is number `index` of those taken."""
        sample_id = f"{self._name}-{index:06d}"
        try:
            seen = read_film(film.path)
        except UnreadableFilm as error:
            return _reject(sample_id, index, READABLE, self._relative(str(error)), self._entities(film))
        film = _with_header(film, seen)
        why = self._choice.not_where(film)
        if why is not None:
            reason = f"{escaped(film.film)}: {why}, as its header says ({film.view}, {film.sex})"
            return _reject(sample_id, index, WHERE, reason, self._entities(film))
        return self._sample(sample_id, index, film, seen)

    def _sample(self, sample_id: str, index: int, film: ArchiveFilm, seen: Film) -> Sample:
        height, width = seen.pixels.shape
        square = Square(height, width, self._section.pixels)
        png = encode_png(square.place(seen.pixels))
        text, text_from = self._text(film)
        placed = [(spot, box.phrase) for box in film.boxes if (spot := square.box(box, film.frame)) is not None]
        areas = ((mask.finding, decode_masks(mask.runs, mask.width, mask.height)) for mask in film.masks)
        row = PairRow(
            sample_id=sample_id,
            index=index,
            findings=text.findings,
            impression=text.impression,
            entities=self._entities(film),
            mentions=[],
            labels=dict(film.labels),
            report_seed=0,
            report_attempts=1,
            report_tokens=0,
            image_seed=0,
            image_attempts=1,
            png_sha256=hashlib.sha256(png).hexdigest(),
            gates=[],
            report_model=f"label rules {RULES}" if text_from == "labels" else "",
            provenance={
                "archive": self._archive.layout,
                "film": escaped(film.film),
                "file": seen.kind,
                "height": height,
                "width": width,
                **_phrases(placed),
            },
            patient=film.patient,
            study=film.study,
            view=film.view,
            sex=film.sex,
            age=None if film.age is None else round(film.age, 3),
            split=film.split,
            labeller=film.labelled_by,
            boxes=[spot for spot, _ in placed],
            masks=[spot for name, area in areas if (spot := square.mask(name, np.asarray(area))) is not None],
            text_from=text_from,
        )
        return sample_of(row, png)

    def _text(self, film: ArchiveFilm) -> tuple[ReportText, TextFrom]:
        """The film's text and where it is from; a report in another language is none."""
        if film.report and self._archive.english:
            text = report_text(film.report)
            if any(text):
                return text, "report"
        if self._section.text == "labels":
            normal = any(mark == 1 and self._words.is_normal(name) for name, mark in film.labels.items())
            text = text_of_labels(film.labels, self._words.phrase, normal=normal)
            if any(text):
                return text, "labels"
        return ReportText("", ""), "none"

    def _entities(self, film: ArchiveFilm) -> list[str]:
        return [f"{_ENTITY}/{name}" for name, mark in film.labels.items() if mark == 1 and self._words.phrase(name)]

    def _relative(self, message: str) -> str:
        """A message about a file, without the place of the archive on this machine."""
        return message.replace(f"{escaped(self._archive.root)}/", "", 1)


def _phrases(boxes: Sequence[tuple[Box, str]]) -> dict[str, Any]:
    """The phrases of the boxes of a row, each with its finding and the places of its boxes among them."""
    found: dict[tuple[str, str], list[int]] = {}
    for at, (box, phrase) in enumerate(boxes):
        if phrase:
            found.setdefault((escaped(phrase), box.finding), []).append(at)
    told = [{"text": text, "finding": finding, "boxes": places} for (text, finding), places in found.items()]
    return {"phrases": told} if told else {}


def _with_header(film: ArchiveFilm, seen: Film) -> ArchiveFilm:
    """The film with what its tables left open filled from its own header."""
    header = seen.header
    return replace(
        film,
        patient=film.patient or header.patient,
        study=film.study or header.study,
        view=film.view or header.view,
        sex=film.sex or sex_of(header.sex),
        age=film.age if film.age is not None else age_in_years(header.age),
    )


def _reject(sample_id: str, index: int, gate: str, reason: str, entities: list[str]) -> RejectRow:
    return RejectRow(
        sample_id=sample_id,
        index=index,
        stage=STAGE,
        gate=gate,
        score=0.0,
        threshold=1.0,
        reason=reason,
        attempts=1,
        entities=entities,
    )
