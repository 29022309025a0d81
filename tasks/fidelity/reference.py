"""What generated films are compared with: a phantom hospital, or an archive of real films."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from models.findings.label_finder import named_label
from models.findings.label_sets import LabelSet
from models.findings.lexicon import PHANTOM
from models.gates.film.view import reduced
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.files import located
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.pixels import read_film
from tasks.corpora.archives.registry import AUTO, LAYOUTS, Archive, open_archive
from tasks.corpora.phantom import HOSPITAL_NAMES, sound_films
from tasks.errors import AuditError
from tasks.fidelity.films import Film
from tasks.plan.seeds import digest_bits

SEED = 4242  # of the phantom's films that no gate and no generator was trained on
_PHANTOM = "hospital_"
_FRONTAL = ("AP", "PA", "FRONTAL")


class Reference(Protocol):
    """Real films in two halves.

    `read_as` are an archive's labels by finding, and `left_out` counts the films that `halves` left out, by reason.
    """

    name: str
    read_as: Mapping[str, Sequence[str]]
    left_out: Counter[str]

    def halves(self, half: int, side: int) -> Iterator[tuple[int, Film]]:
        """Films with the half that each belongs to, 0 or 1: `half` films of each, or as many as there are.

        Films have at most `side` pixels along their longer edge, so that the resolution of generated films is no
        difference between them and real ones.

        Raises:
            AuditError: not one film can be compared.
        """
        ...


def open_reference(spec: str, label_set: LabelSet = PHANTOM) -> Reference:
    """The reference that ``hospital_a``, ``FOLDER`` or ``FOLDER/LAYOUT`` names; no film is read yet.

    Args:
        spec: a phantom hospital, or the folder of an archive.
        label_set: the findings as which its labels are read.

    Raises:
        AuditError: it names no hospital and no folder.
        ArchiveError: the folder is no archive, or one without films.
    """
    if spec.startswith(_PHANTOM) and spec.removeprefix(_PHANTOM) in HOSPITAL_NAMES:
        return Phantom(spec, spec.removeprefix(_PHANTOM), label_set)
    path, layout = Path(spec).expanduser(), AUTO
    if not path.is_dir() and path.name in LAYOUTS:
        path, layout = path.parent, path.name
    if not path.is_dir():
        known = ", ".join(_PHANTOM + name for name in HOSPITAL_NAMES)
        raise AuditError(
            f"--real {spec!r} is neither a phantom hospital ({known}) nor a folder; give the folder of an archive, "
            f"or FOLDER/LAYOUT with one of {', '.join(LAYOUTS)}"
        )
    return RealFilms(open_archive(path, layout), label_set)


class Phantom:
    """Sound films of a phantom hospital (protocol `Reference`)."""

    def __init__(self, name: str, hospital: str, label_set: LabelSet) -> None:
        self.name, self._hospital, self._label_set = name, hospital, label_set
        self.read_as: Mapping[str, Sequence[str]] = {}
        self.left_out: Counter[str] = Counter()

    def halves(self, half: int, side: int) -> Iterator[tuple[int, Film]]:
        """See the protocol."""
        for number, film in enumerate(sound_films(self._hospital, SEED, 2 * half, side)):
            yield number % 2, Film(film.pixels, in_set(film.labels, self._label_set))


class RealFilms:
    """Frontal films of an archive (protocol `Reference`): which ones is drawn by their ids, no patient in both halves.

    Raises:
        ArchiveError: the archive names no film, or a table or column is missing.
    """

    def __init__(self, archive: Archive, label_set: LabelSet) -> None:
        every = list(located(archive.films()))
        if not every:
            raise archive.no_film()
        self.name = f"{archive.root.name} ({archive.layout})"
        self.left_out: Counter[str] = Counter()
        self._label_set = label_set
        read_as: defaultdict[str, list[str]] = defaultdict(list)
        for label in sorted({label for film in every for label in film.labels}):
            finding = named_label(label, label_set)
            if finding is not None:
                read_as[finding].append(label)
        self.read_as: Mapping[str, Sequence[str]] = dict(read_as)
        self._why = ""
        self._films = sorted(every, key=lambda film: digest_bits("film", film.film, bits=64))

    def halves(self, half: int, side: int) -> Iterator[tuple[int, Film]]:
        """See the protocol."""
        self.left_out.clear()
        self._why, taken = "", [0, 0]
        for film in self._films:
            which = digest_bits("half", film.patient or film.film, bits=1)
            found = self._read(film, side) if taken[which] < half else None
            if found is not None:
                taken[which] += 1
                yield which, found
            if min(taken) == half:
                return
        if not any(taken):
            left = ", ".join(f"{count} {why}" for why, count in self.left_out.items())
            raise AuditError(f"{self.name}: none of its {len(self._films)} films can be compared: {left}. {self._why}")

    def _read(self, film: ArchiveFilm, side: int) -> Film | None:
        """The film; None, and counted, where it cannot be read or is no frontal one."""
        if not _frontal(film.view):
            self.left_out["not frontal"] += 1
            return None
        try:
            seen = read_film(film.path)
        except UnreadableFilm as error:
            self.left_out["unreadable"] += 1
            self._why = self._why or str(error)
            return None
        if film.view is None and not _frontal(seen.header.view):
            self.left_out["not frontal"] += 1
            return None
        return Film(reduced(seen.pixels, side), in_set(film.labels, self._label_set))


def in_set(labels: Mapping[str, int], label_set: LabelSet) -> dict[str, int]:
    """1 for every finding of `label_set` that labels of another set, by their names, show (value 1)."""
    named = (named_label(label, label_set) for label, value in labels.items() if value == 1)
    return {finding: 1 for finding in named if finding is not None}


def _frontal(view: str | None) -> bool:
    """Whether a view is frontal, or unknown."""
    return view is None or view.upper().startswith(_FRONTAL)
