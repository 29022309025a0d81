"""What an audit measured, kept part by part beside its report: a run that was broken off goes on from there.

A part's file is named by everything that its content follows from: the films' ids, paths, sizes and times of change,
and what measured them. So a part fits or is not found; limits, rules and tables are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from tasks.archives.film import ArchiveFilm
from tasks.archives.pixels import Header
from tasks.audit.errors import AuditError
from tasks.audit.part import NO_PICTURE, Part, Worst

FORMAT_VERSION = 1
"""Raise it when a check or a film's reading measures otherwise."""
_LOG = logging.getLogger(__name__)


class KeptParts:
    """Parts in a folder.

    Args:
        folder: made when the first part is kept.
        measured_by: names everything that measures, with its revision.
    """

    def __init__(self, folder: Path, measured_by: Sequence[str]) -> None:
        self.folder, self._measured_by = folder, list(measured_by)

    def load(self, films: Sequence[ArchiveFilm]) -> Part | None:
        """What was measured of `films`; None where nothing was, or where it cannot be read, which a warning tells."""
        path = self._path(films)
        try:
            with np.load(path, allow_pickle=False) as file:
                return _part(file)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, BadZipFile, zlib.error, ValueError, KeyError, TypeError) as error:
            _LOG.warning("%s cannot be read (%s): its films are measured again", path, error)
            return None

    def save(self, films: Sequence[ArchiveFilm], part: Part) -> None:
        """Keep what was measured of `films`: whole or not at all.

        Raises:
            AuditError: it cannot be written.
        """
        path = self._path(films)
        half = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with half.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **_arrays(part))
            half.replace(path)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise AuditError(
                f"{path} cannot be written: {error.strerror or error}; make room, and the same command goes on"
            ) from error

    def _path(self, films: Sequence[ArchiveFilm]) -> Path:
        facts = [
            FORMAT_VERSION,
            self._measured_by,
            [[film.film, str(film.path), *_state(film.path)] for film in films],
        ]
        return self.folder / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}.npz"


def _state(path: Path) -> tuple[int, int]:
    """Size and time of change; a file that is missing has neither."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _arrays(part: Part) -> dict[str, np.ndarray]:
    worst = [(check, one) for check, each in part.worst.items() for one in each]
    facts = {
        "unreadable": list(part.unreadable.items()),
        "headers": [asdict(header) for header in part.headers],
        "kinds": part.kinds,
        "worst": [[check, one.score, one.film, one.reason, one.picture.size > 0] for check, one in worst],
    }
    pictures = [one.picture for _, one in worst if one.picture.size]
    return {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "sizes": np.array(part.sizes, np.int64).reshape(-1, 2),
        "scores": part.scores,
        "hashes": part.hashes,
        "answers": part.answers,
        "pictures": np.stack(pictures) if pictures else np.zeros((0, 0, 0), np.uint8),
    }


def _part(file: np.lib.npyio.NpzFile) -> Part:
    facts = json.loads(file["facts"].tobytes())
    part = Part(
        unreadable={int(place): str(reason) for place, reason in facts["unreadable"]},
        headers=[Header(**header) for header in facts["headers"]],
        kinds=[str(kind) for kind in facts["kinds"]],
        sizes=[(int(height), int(width)) for height, width in file["sizes"]],
        scores=file["scores"],
        hashes=file["hashes"],
        answers=file["answers"],
    )
    pictures = iter(file["pictures"])
    for check, score, film, reason, pictured in facts["worst"]:
        picture = next(pictures) if pictured else NO_PICTURE
        part.worst.setdefault(check, []).append(Worst(score, film, reason, picture))
    return part
