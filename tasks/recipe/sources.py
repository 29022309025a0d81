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

    `films` and `seed` say which films of a phantom hospital are drawn. What follows says how an archive is ingested,
    as the options of `synth ingest` do. A published version takes none of them.
    """

    source: str = Field(description="phantom:a, LAYOUT:PATH, NAME@VERSION or NAME@VERSION/SELECTION")
    films: int | None = Field(
        default=None, ge=1, le=PHANTOM_ARCHIVE, description="films of a phantom hospital; None: 512"
    )
    size: int | None = Field(
        default=None, ge=64, le=4096, description="side of a film in pixels; None: 128 of a phantom, 512 of an archive"
    )
    seed: int | None = Field(default=None, ge=0, le=LARGEST_SEED, description="of a phantom hospital; None: 7")
    name: str | None = Field(
        default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="of the dataset that an archive becomes"
    )
    split: str | None = Field(default=None, description="takes the films of an archive's split alone, such as train")
    where: dict[Literal["view", "sex"], tuple[Annotated[str, Field(min_length=1)], ...]] = Field(
        default={}, description="takes films of these views or this sex alone"
    )
    part: str | None = Field(
        default=None, pattern=r"^\d{1,3}-\d{1,3}$",
        description="takes films of these percent of an archive's patients alone, by their ids: 0-80",
    )  # fmt: skip
    keep: Annotated[str, AfterValidator(at_home)] | None = Field(
        default=None, description="a cleaned index as `synth audit archive` writes it"
    )
    text: Literal["report", "labels"] = Field(
        default="report", description="labels: where a film has no report, its text is made from its labels"
    )
    licence: str | None = Field(default=None, description="SPDX expression; None takes what is known of the layout")

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
        told = [name for name in unfit if getattr(self, name) != type(self).model_fields[name].default]
        if told:
            raise ValueError(f"{', '.join(told)} cannot be told of {self.source}: leave that out")
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

    real: SourceSection | None = SourceSection(source="phantom:a", films=512)
    validation: SourceSection | None = None
    test: SourceSection | None = SourceSection(source="phantom:b", films=800, seed=11)

    def named(self) -> Mapping[str, SourceSection]:
        """Those that there are, by name."""
        return {name: section for name, section in self if section is not None}
