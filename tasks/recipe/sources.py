"""The sources of a run: real films to train on, films to validate on, and films to test on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from tasks.corpora.source import PHANTOM_ARCHIVE, ArchiveSource, PhantomSource, Source, VersionSource, parse_source
from tasks.recipe.base import LARGEST_SEED, Section
from tasks.recipe.paths import at_home, unexpanded

PHANTOM_FILMS, PHANTOM_SIZE, ARCHIVE_FILM_SIZE = 512, 128, 512
_PHANTOM_SEED = 7
_OF_PHANTOM = ("films", "seed")
_OF_ARCHIVE = ("name", "split", "where", "part", "keep", "text", "licence")
_UNFIT = {
    PhantomSource: _OF_ARCHIVE,
    ArchiveSource: _OF_PHANTOM,
    VersionSource: ("size", *_OF_PHANTOM, *_OF_ARCHIVE),
}


class SourceSection(Section):
    """One source, and how it becomes a dataset version where it is none yet; a plain string is the source alone.

    `films` and `seed` choose the films of a phantom hospital. The fields from `name` on apply to an archive, as the
    options of `synth ingest` do. A published version takes none of them.
    """

    source: str = Field(description="phantom:a, LAYOUT:PATH, NAME@VERSION or NAME@VERSION/SELECTION")
    films: int | None = Field(
        default=None, ge=1, le=PHANTOM_ARCHIVE, description="number of films of a phantom hospital; None: 512"
    )
    size: int | None = Field(
        default=None, ge=64, le=4096, description="side of a film in pixels; None: 128 of a phantom, 512 of an archive"
    )
    seed: int | None = Field(
        default=None, ge=0, le=LARGEST_SEED, description="seed of a phantom hospital's films; None: 7"
    )
    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="name of the dataset that an archive is ingested as; None: made of layout and folder",
    )
    split: str | None = Field(
        default=None, description="split of an archive whose films are taken, such as train; None: all"
    )
    where: dict[Literal["view", "sex"], tuple[Annotated[str, Field(min_length=1)], ...]] = Field(
        default={}, description="views and sexes whose films are taken; empty: all"
    )
    part: str | None = Field(
        default=None, pattern=r"^\d{1,3}-\d{1,3}$",
        description="percent of an archive's patients, by a hash of their ids, whose films are taken: 0-80; None: all",
    )  # fmt: skip
    keep: Annotated[str, AfterValidator(at_home)] | None = Field(
        default=None,
        description="cleaned index that `synth audit archive` wrote, which lists the films to take; None: all",
    )
    text: Literal["report", "labels"] = Field(
        default="report",
        description="report: the text is the archive's; labels: a film without one gets a text made from its labels",
    )
    licence: str | None = Field(
        default=None, description="SPDX expression of the archive; None: that of its layout, where it is known"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @field_validator("part")
    @classmethod
    def _some_percent(cls, value: str | None) -> str | None:
        low, high = map(int, (value or "0-100").split("-"))
        if not low < high <= 100:
            raise ValueError(f"{value} is no part: write two numbers from 0 to 100, the smaller first, such as 0-80")
        return value

    @field_validator("source")
    @classmethod
    def _spelt(cls, value: str) -> str:
        wrong = unexpanded(value)
        if wrong:
            raise ValueError(wrong)
        return str(parse_source(value))

    @model_validator(mode="after")
    def _fits_its_kind(self) -> SourceSection:
        unfit = _UNFIT[type(self.parsed)]
        given = [name for name in unfit if getattr(self, name) != type(self).model_fields[name].default]
        if given:
            raise ValueError(f"{', '.join(given)} does not apply to {self.source}: leave it out")
        return self

    @property
    def parsed(self) -> Source:
        """The source that `source` spells."""
        return parse_source(self.source)

    @property
    def percent(self) -> tuple[int, int] | None:
        """`part` as two numbers."""
        low, _, high = (self.part or "").partition("-")
        return (int(low), int(high)) if self.part else None

    @property
    def pixels(self) -> int:
        """Side of a film in pixels, where the source is yet to be published."""
        return self.size or (PHANTOM_SIZE if isinstance(self.parsed, PhantomSource) else ARCHIVE_FILM_SIZE)

    @property
    def count(self) -> int:
        """How many films of a phantom hospital are drawn."""
        return self.films or PHANTOM_FILMS

    @property
    def draw(self) -> int:
        """The seed by which a phantom's films are drawn."""
        return _PHANTOM_SEED if self.seed is None else self.seed


class SourcesSection(Section):
    """Where films come from that are not generated: to train on, to validate on, and to test on."""

    real: SourceSection | None = Field(
        default=SourceSection(source="phantom:a", films=512), description="films to train on; None: no arm takes them"
    )
    validation: SourceSection | None = Field(default=None, description="films to choose a model on; None: none")
    finetune: SourceSection | None = Field(
        default=None, exclude_if=lambda value: value is None,  # so that runs made before it was there keep their name
        description="labelled films that probes and fine-tuning train on; None: none",
    )  # fmt: skip
    test: SourceSection | None = Field(
        default=SourceSection(source="phantom:b", films=800, seed=11), description="films to score on; None: no scores"
    )

    def named(self) -> Mapping[str, SourceSection]:
        """Those that there are, by name."""
        return {name: section for name, section in self if section is not None}
