"""`synth audit fidelity`: how near the films of a dataset version are to real ones, overall and by finding.

Every figure stands beside its floor: what the reference has between its own two halves, in as many films. Small
samples raise FID and lower coverage on both sides, so only the distance from the floor means anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.contracts import Encoder, ModelNotFound, ProgressCallback
from models.encoders.image import OURS, open_encoder
from models.findings.label_sets import LabelSet, UnknownLabelSet, load
from models.findings.lexicon import PHANTOM
from models.findings.table_files import TableError
from storage.versions import Version
from tasks.errors import AuditError
from tasks.fidelity.films import PICTURE, FeatureAccumulator, FeatureSet, Film, picture_of
from tasks.fidelity.metrics import Fidelity, LabelledFeatures, fidelity_by_finding, least_films, likeness
from tasks.fidelity.reference import Reference, open_reference
from tasks.fidelity.version import GeneratedFilms, read_version

OVERALL = "overall"
LEAST_PAIRS = 4  # of a mean MS-SSIM
REFERENCE = 600  # films in a half of a reference, more where more are compared: rare findings need them


@dataclass(frozen=True, slots=True)
class SsimSummary:
    """Mean MS-SSIM of so many pairs of films: 1 where they are the same."""

    pairs: int
    mean: float


@dataclass(frozen=True, slots=True)
class Row:
    """A finding's figures, or those of all films; None where there are too few.

    Args:
        finding: or `OVERALL`.
        real, made: films with it in the reference's first half, and in the version.
        figures, floor: of the version and of the reference's second half against the first half, both in as many
            films as each of them has.
        seeds, different: two films of one prompt, and two different films of the reference.
    """

    finding: str
    real: int
    made: int
    figures: Fidelity | None
    floor: Fidelity | None
    seeds: SsimSummary | None
    different: SsimSummary | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """With one reference: films in its `halves`, an archive's labels by finding, and how many films were left out."""

    reference: str
    halves: tuple[int, int]
    read_as: Mapping[str, Sequence[str]]
    left_out: Mapping[str, int]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """How far `films` films of `dataset` are from real ones, to an encoder of so many `features`.

    `side` is the pixels of a film's longer edge, to which larger real films are reduced.
    """

    dataset: str
    encoder: str
    features: int
    films: int
    side: int
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class FidelityOptions:
    """What is compared, and how.

    Args:
        real: references; see `open_reference`.
        encoder: see `models.encoders.image.open_encoder`.
        films: most films of the version; the first ones are taken.
        seeds: prompts that the version's image generator draws again with other seeds.
        labels: name or file of the label set whose findings have figures of their own; None: that of the version.
    """

    real: tuple[str, ...] = ("hospital_a",)
    encoder: str = OURS
    films: int = 1000
    seeds: int = 32
    labels: str | None = None


def audit_fidelity(
    version: Version, options: FidelityOptions, on_progress: ProgressCallback = lambda *_: None
) -> FidelityReport:
    """Compare a published version with references.

    Args:
        version: the version.
        options: what is compared, and how.
        on_progress: called with the stage, and how many of how many are done.

    Raises:
        AuditError: fewer films than figures take, no such reference, encoder or label set, or no generator to draw
            with.
        ArchiveError: a folder is no archive, or one without films.
        ModelNotFound: weights are missing.
    """
    _enough(str(version), min(options.films, version.manifest.accepted))
    findings = _findings(version, options.labels)
    opened, references = _encoder(options.encoder), [open_reference(spec, findings) for spec in options.real]

    def on_drawn(done: int, total: int) -> None:
        on_progress("second seeds", done, total)

    read_as = None if options.labels is None else findings
    made = read_version(version, options.films, options.seeds, on_drawn, read_as)
    return report(made, references, opened, on_progress)


def _findings(version: Version, labels: str | None) -> LabelSet:
    name = labels or version.manifest.label_set or PHANTOM.name
    try:
        return load(name)
    except (UnknownLabelSet, TableError) as error:
        whose = "--labels" if labels else f"the label set of {version}"
        raise AuditError(f"{whose}: {error}" + ("" if labels else "; name one with --labels")) from error


def report(
    made: GeneratedFilms,
    references: Iterable[Reference],
    encoder: Encoder,
    on_progress: ProgressCallback = lambda *_: None,
) -> FidelityReport:
    """Compare films with references, for the findings that any of these films shows.

    Raises:
        AuditError: too few films on either side.
    """
    _enough(made.name, len(made.films))
    findings = sorted({finding for film in made.films for finding, shown in film.labels.items() if shown > 0})
    side, most = max(made.films[0].pixels.shape), max(REFERENCE, len(made.films))
    picture = min(side, PICTURE)

    def gather(name: str, parts: int, films: Iterable[tuple[int, Film]], total: int) -> list[FeatureSet]:
        sides = [FeatureAccumulator(encoder, findings, picture) for _ in range(parts)]
        for done, (which, film) in enumerate(films, 1):
            sides[which].add(film)
            on_progress(name, done, total)
        _enough(name, min(map(len, sides)))
        return [each.side() for each in sides]

    (version,) = gather(made.name, 1, ((0, film) for film in made.films), len(made.films))
    again = np.stack([picture_of(film, picture) for film in made.again]) if made.again else version.pictures[:0]
    comparisons = []
    for reference in references:
        one, two = gather(f"half of {reference.name}", 2, reference.halves(most, side), 2 * most)
        read_as = {finding: labels for finding, labels in reference.read_as.items() if finding in findings}
        sizes = len(one.labels), len(two.labels)
        rows = compare(version, again, one, two, findings)
        comparisons.append(Comparison(reference.name, sizes, read_as, dict(reference.left_out), rows))
    return FidelityReport(
        made.name, encoder.revision, version.features.shape[1], len(made.films), side, tuple(comparisons)
    )


def compare(
    made: FeatureSet, again: np.ndarray, one: FeatureSet, two: FeatureSet, findings: Sequence[str]
) -> tuple[Row, ...]:
    """Rows of `made` against the half `one` of a reference, with the floor of its half `two`; all films first.

    Args:
        made, one, two: the columns of their labels are `findings`.
        again: pictures (k, s, s) of the first k prompts of `made` with other seeds.
        findings: names.
    """
    ours, first, second = (np.column_stack([np.ones(len(it.labels), int), it.labels]) for it in (made, one, two))
    most = np.minimum(ours.sum(0), second.sum(0))  # the version and the floor are compared in as many films
    names = (OVERALL, *findings)
    real_half = LabelledFeatures(one.features, first)
    figures, floors = (
        fidelity_by_finding(real_half, LabelledFeatures(it.features, labels * (labels.cumsum(0) <= most)), names)
        for it, labels in ((made, ours), (two, second))
    )
    seeds = likeness(made.pictures[: len(again)], again) if len(again) else np.zeros(0)
    rows = []
    for column, name in enumerate(names):
        shown, real, other = (labels[:, column] > 0 for labels in (ours, first, second))
        pairs = min(len(again), real.sum(), other.sum())
        alike = likeness(one.pictures[real][:pairs], two.pictures[other][:pairs]) if pairs else np.zeros(0)
        rows.append(
            Row(name, int(real.sum()), int(shown.sum()), figures[name], floors[name],
                _mean(seeds[shown[: len(again)]]), _mean(alike))
        )  # fmt: skip
    return tuple(rows)


def _mean(alike: np.ndarray) -> SsimSummary | None:
    return SsimSummary(len(alike), float(alike.mean())) if len(alike) >= LEAST_PAIRS else None


def _enough(name: str, films: int) -> None:
    if films < least_films():
        raise AuditError(f"{name} has {films} films to compare; figures take {least_films()} or more")


def _encoder(spec: str) -> Encoder:
    encoder = open_encoder(spec)
    try:
        encoder.revision  # noqa: B018  loads the weights, which must fail before any film is read
    except ModelNotFound:
        raise
    except (OSError, ValueError) as error:
        raise AuditError(
            f"--encoder {spec!r} is no vision model that can be read: {error}. Give {OURS!r}, or a folder or "
            "hub id such as microsoft/rad-dino"
        ) from error
    return encoder
