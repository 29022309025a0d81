"""Files of an archive: its films by ending or content, also by name for tables, and what is left out, by kind."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.names import escaped, is_odd
from tasks.corpora.archives.sniff import FILMS, READ, sniff

IMAGES = (".png", ".jpg", ".jpeg", ".jp2", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".ima")
"""Endings of files that are films without a look into them."""
_TEXTS = frozenset((".txt", ".csv", ".tsv", ".xml", ".json", ".jsonl", ".md", ".html", ".htm", ".yaml", ".yml", ".gz"))
_KNOWN = _TEXTS | frozenset((
    ".pdf", ".zip", ".tar", ".tgz", ".7z", ".rar", ".parquet", ".xls", ".xlsx", ".doc", ".docx", ".py", ".log", ".ini",
    ".gif", ".webp", ".svg", ".mp4", ".avi", ".npy", ".npz", ".h5", ".nii", ".exe", ".dll",
))  # fmt: skip
_AUDIT = frozenset(("index.parquet", "report.md"))  # what an audit wrote below the archive is none of it
_EXAMPLES = 3
_FILM, _UNNAMED = "film", "images that no table names"


class LeftOut:
    """Files that are no films, by kind, with the first few of each; paths are escaped."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, name: str) -> None:
        """Count one file or folder, by its path in the archive."""
        self.counts[kind] += 1
        if len(self.examples[kind]) < _EXAMPLES:
            self.examples[kind].append(escaped(name))

    def __str__(self) -> str:
        """``3 zip (a.zip, b.zip, c.zip), 1 pdf (d.pdf)``; empty where nothing was left out."""
        return ", ".join(
            f"{count} {kind} ({', '.join(self.examples[kind])}{', ...' if count > len(self.examples[kind]) else ''})"
            for kind, count in self.counts.most_common()
        )


def walk_images(root: Path) -> Iterator[Path]:
    """Every film below `root`, folder by folder in order: by its ending, else by its content.

    Folders that are links are followed, each folder once. Hidden files and those with an odd name are left out.
    """
    for path in _walk(root, lambda *_: None):
        if _kind(path) == _FILM:
            yield Path(path)


def left_out(root: Path, used: Collection[str], *, texts: bool) -> LeftOut:
    """What lies below `root` and is no film that is used: other files, hidden ones, odd names, unnamed images.

    Args:
        root: the archive.
        used: paths of its films, and of other files that were read.
        texts: whether texts and tables count too; else they are taken as the archive's own.
    """
    found = LeftOut()
    start = len(prefix_of(root))
    for path in _walk(root, lambda kind, path: found.add(kind, path[start:])):
        if path in used or (not texts and _ending(path) in _TEXTS):
            continue
        kind = _kind(path)
        found.add(_UNNAMED if kind == _FILM else kind, path[start:])
    return found


class ImageFiles:
    """Films below a folder by name, for tables without folders or without endings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, Path] = {}
        for path in walk_images(root):
            self._paths.setdefault(path.name, path)
            self._paths.setdefault(stem_of(path.name), path)

    def find(self, name: str) -> Path:
        """The file called `name`, with or without its ending; where it would lie if there is none."""
        return self._paths.get(name) or self._paths.get(stem_of(name)) or self.root / name


def prefix_of(root: Path) -> str:
    """What the paths of `walk_images` begin with, as strings."""
    return "" if str(root) == "." else os.path.join(root, "")


def stem_of(name: str) -> str:
    """A film's name without its ending; the last number of a UID is none."""
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in IMAGES else name


def located(films: Iterable[ArchiveFilm]) -> Iterator[ArchiveFilm]:
    """The films, each where it lies: at its path, or else beside it with another ending than that in its table."""
    folders: dict[Path, dict[str, Path]] = {}
    for film in films:
        if os.path.isfile(film.path):
            yield film
            continue
        folder = film.path.parent
        if folder not in folders:
            folders[folder] = _films_in(folder)
        yield replace(film, path=folders[folder].get(stem_of(film.path.name), film.path))


def _films_in(folder: Path) -> dict[str, Path]:
    """Films by stem."""
    try:
        names = sorted(os.listdir(folder), reverse=True)
    except (OSError, ValueError):  # there is no such folder, or a table's cell is no name
        return {}
    return {stem_of(name): folder / name for name in names if not is_odd(name) and _kind(str(folder / name)) == _FILM}


def _walk(root: Path, leave: Callable[[str, str], None]) -> Iterator[str]:
    """Files below `root` in order; `leave` is called with the kind and path of what is left out."""

    def unreadable(error: OSError) -> None:
        leave("that cannot be opened", str(error.filename))

    seen: set[str] = set()
    for folder, below, names in os.walk(root, onerror=unreadable, followlinks=True):
        inner = os.path.relpath(folder, root)
        here = prefix_of(root) + ("" if inner == "." else os.path.join(inner, ""))
        if (inner != "." and set(names) >= _AUDIT) or (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        for group in (below, names):
            kept = []
            for name in sorted(group):
                if name.startswith("."):
                    leave("hidden", here + name)
                elif is_odd(name):
                    leave("with an odd name", here + name)
                else:
                    kept.append(name)
            group[:] = kept
        for name in names:
            yield here + name


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _kind(path: str) -> str:
    """`_FILM`, or what else a file is, by its ending, else by its first bytes, which are read once."""
    ending = _ending(path)
    if ending in IMAGES:
        return _FILM
    if ending in _KNOWN:
        return ending[1:]
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "that are no regular files"
        with open(path, "rb", buffering=0) as file:
            start = file.read(READ)
    except OSError:
        return "that cannot be opened"
    kind = sniff(start)
    if kind in FILMS:
        return _FILM
    return kind or ("empty" if not start else ending[1:] or "of no known kind")
