"""`ingest`: publish an archive of real films as a dataset version like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.parameters import factory_flow
from flows.progress import Progress
from flows.services.home import PROFILES, prepare
from flows.session import open_storage
from models.typed import worded
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.registry import FOLDER, open_archive
from tasks.corpora.source import ArchiveSource, SourceUnknown, has_scheme, parse_source
from tasks.ingest.ingest import Ingested
from tasks.ingest.ingest import ingest as publish
from tasks.prefect_tasks import step
from tasks.recipe.profile import load_recipe
from tasks.recipe.sources import ARCHIVE_FILM_SIZE, SourceSection

NO_TEXT = "no text, so they can test a model and cannot train one"
NO_LABELS = "neither text nor labels, so they cannot train a model"
BESIDE_FILMS = "; a report beside each film, as NAME.txt, is its text"


class IngestParameters(BaseModel):
    """The fields of the flow `ingest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str = Field(description="LAYOUT:PATH such as nih:/data/nih, or the path of the archive's folder.")
    name: str | None = Field(None, description="Name of the dataset; empty makes one of layout and folder.")
    layout: str = Field("auto", description="Layout of the tables, where source is a plain path.")
    split: str | None = Field(None, description="Takes the films of this split of the archive alone.")
    where: tuple[str, ...] = Field((), description="Takes films of these views or this sex alone: view=PA,AP, sex=F.")
    part: str | None = Field(None, description="Takes films of these percent of the patients alone: 0-80.")
    keep: str | None = Field(None, description="A cleaned index, as `synth audit archive` writes it.")
    size: int = Field(ARCHIVE_FILM_SIZE, description="Side of a film in pixels.")
    text: str = Field("report", description="report, or labels: text is made from labels where there is no report.")
    licence: str | None = Field(None, description="SPDX expression; empty takes what is known of the layout.")
    workers: int = Field(2, ge=1, description="Threads that decode films.")
    profile: str = Field(
        "local", description="Name of a profile, or path of a YAML file, for the address of the store."
    )
    overrides: tuple[str, ...] = Field((), description="Any field of the profile, as KEY=VALUE.")


@factory_flow(IngestParameters, "{source}")
def ingest(parameters: IngestParameters) -> dict[str, Any]:
    """Publish an archive of real films as a dataset version, or find it published; go on where a run was stopped."""
    section = section_of(parameters)
    recipe = load_recipe(parameters.profile, parameters.overrides, PROFILES)
    with open_storage(recipe.storage, prepare()) as store, Progress() as progress:
        done = step(
            "ingest",
            f"ingest-{section.source}",
            lambda: publish(store, section, progress.stage, workers=parameters.workers),
        )
        for line in notes_of(done, section):
            progress.say(line)
        return _result(done, section)


def section_of(parameters: IngestParameters) -> SourceSection:
    """The fields as a section of a recipe.

    Raises:
        ArchiveError: a field is wrong; all of them at once.
    """
    given = {"name", "split", "part", "keep", "size", "text", "licence"}
    plain: dict[str, Any] = {key: value for key, value in parameters.model_dump(include=given).items() if value}
    problems: list[str] = []
    try:
        source = source_of(parameters.source, parameters.layout)
        plain["where"] = _where(parameters.where)
        return SourceSection.model_validate({"source": source, **plain})
    except (ArchiveError, SourceUnknown) as error:
        problems = [str(error)]
    except ValidationError as error:
        problems = [": ".join([*map(str, item["loc"][:1]), worded(item)]) for item in error.errors()]
    raise ArchiveError("; ".join(problems))


def check_archive(section: SourceSection) -> None:
    """Refuse an archive that is no folder, or that holds no film, without reading more of it than that takes.

    Raises:
        ArchiveError: what is missing.
    """
    source = section.parsed
    if isinstance(source, ArchiveSource):
        open_archive(source.path, source.layout).check_films()


def source_of(text: str, layout: str) -> str:
    """The spelling of an archive given as one, or as a path with a layout.

    Raises:
        ArchiveError: it is a source of another kind, or names two layouts.
        SourceUnknown: the layout is not known, or names no folder; a folder may itself be called ``a:b``.
    """
    try:
        source = parse_source(text)
    except SourceUnknown:
        if has_scheme(text) and not Path(text).is_dir():
            raise
        return str(parse_source(f"{layout}:{text}"))
    if not isinstance(source, ArchiveSource):
        raise ArchiveError(f"{text} needs no ingesting: name an archive, such as nih:/data/nih")
    if layout not in ("auto", source.layout):
        raise ArchiveError(f"{text} and --layout {layout} name two layouts: leave one out")
    return str(source)


def notes_of(done: Ingested, section: SourceSection) -> Iterator[str]:
    """Notes on what was published, a line each."""
    without = done.manifest.statistics["text_from"].get("none", 0)
    if not done.new:
        yield f"{done.ref} is published already: nothing was read again"
    if without:
        yield f"{without} of {done.manifest.accepted} films have {_no_text(done, section)}"
    for note, count in sorted(done.notes.items()):
        yield f"{note}: {count}"
    if done.manifest.credentialed:
        yield f"under a use agreement: {done.manifest.agreement}"


def role_of(done: Ingested) -> str:
    """The field of ``sources`` that a version fits: ``test`` where no film has a text or the archive tests on them."""
    splits = [name.lower() for name in done.listing.taken_splits]
    without = done.manifest.statistics["text_from"].get("none", 0)
    if without == done.manifest.accepted or all(name.startswith("test") for name in splits):
        return "test"
    return "validation" if all(name.startswith("val") for name in splits) else "real"


def _no_text(done: Ingested, section: SourceSection) -> str:
    """What films without a text are good for, and where a text can come from, if there is anything."""
    beside = BESIDE_FILMS if done.manifest.models["archive"]["kind"] == FOLDER else ""
    if not done.manifest.statistics["labels"]:
        return NO_LABELS + beside
    if section.text == "labels":
        return f"{NO_TEXT}: no report and no label that is a finding"
    return f"{NO_TEXT}; --text labels makes it from labels"


def _where(words: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals or not values.strip():
            raise ArchiveError(f"where: {word!r} is no condition: write view=PA,AP or sex=F")
        found.setdefault(name.strip(), []).extend(value.strip() for value in values.split(",") if value.strip())
    return found


def _result(done: Ingested, section: SourceSection) -> dict[str, Any]:
    manifest = done.manifest
    return {
        "dataset": str(done.ref),
        "films": manifest.accepted,
        "rejected": manifest.rejected,
        "left out": sum(done.listing.left_out.values()),
        "text from": ", ".join(f"{name} {count}" for name, count in manifest.statistics["text_from"].items()),
        "licence": manifest.licence,
        "source": section.source,
        "use": f"sources.{role_of(done)}={done.ref.name}@{done.ref.version}",
    }
